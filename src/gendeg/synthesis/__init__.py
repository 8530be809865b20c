"""The data set factory: scenes -> plan -> generation -> filter -> shards."""
