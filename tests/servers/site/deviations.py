"""Deviations of web servers from RFC 9110 that the site's response cannot prevent.

Each is a set of names of fronts. They only waste bandwidth, except for `TAG_BY_SECOND`.
"""

# Section 14.2: Range does not apply to HEAD. nginx describes the part that GET would return.
RANGE_OF_HEAD = {"nginx"}
# Section 15.5.17: a 416 response should have the file's length. lighttpd refuses an invalid header
# before the length is known.
REFUSED_WITHOUT_LENGTH = {"lighttpd"}
# Section 13.2.2: If-None-Match overrides the date. nginx sends 304 only if both match.
DATE_AND_TAG = {"nginx"}
# Section 8.8.1: two versions must not share a strong tag. nginx's tag is the second and the length.
TAG_BY_SECOND = {"nginx"}
