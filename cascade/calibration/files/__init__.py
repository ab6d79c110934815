"""Files: recordings as Parquet, and the data sets that are recorded."""
