"""This package: its README, sections "Quick start" and "Serve the files through nginx"."""
