"""Meta backends, which store records: `orm` in a database table, `mongo` in MongoDB."""
