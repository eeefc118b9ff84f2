"""Where a web server departs from RFC 9110 by itself, and no answer of the site could mend it.

Each is a set of names of fronts. All of them cost bytes at most, but for `TAG_BY_SECOND`.
"""

# section 14.2: Range has no meaning for HEAD; they describe the part that GET would get
RANGE_OF_HEAD = {"nginx"}
# section 15.5.17: 416 should say how long the file is; where the header is not valid, they
# refuse before anybody could
REFUSED_WITHOUT_LENGTH = {"lighttpd"}
# section 13.2.2: where there are both, If-None-Match alone counts; it wants both to say 304
DATE_AND_TAG = {"nginx"}
# section 8.8.1: two versions must never share a strong tag; its tag is second and length
TAG_BY_SECOND = {"nginx"}
