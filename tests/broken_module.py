"""A module that raises another error than ``ImportError`` when it is imported."""

raise RuntimeError("broken")
