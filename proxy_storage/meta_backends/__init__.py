"""Where records live: `orm` (a database table) and `mongo` (a MongoDB collection)."""
