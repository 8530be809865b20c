"""Images to learn from: photos, paired folders, `datasets` data sets, and what is held out."""
