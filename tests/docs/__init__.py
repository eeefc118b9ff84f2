"""Run the blocks of code on all pages of the documentation."""
