"""GenDS: the columns of a data set of pairs, its images, and how `datasets.load_dataset("gends")` reads it."""
