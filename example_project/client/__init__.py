"""A single-page client of the API: JavaScript modules without a framework, and JSON Web Tokens."""
