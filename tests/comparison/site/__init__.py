"""The Django project of all contenders. Each process runs it for one of them."""
