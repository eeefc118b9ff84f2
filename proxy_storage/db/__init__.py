"""Model fields that record the content objects of their files."""
