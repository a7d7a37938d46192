"""The steps of an enrollment: rendering ahead, hearing many clips at once, and storing batches."""
