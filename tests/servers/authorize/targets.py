"""Request targets that try to reach a file without permission.

Source: https://portswigger.net/research/url-validation-bypass-cheat-sheet is about links; these
are the corresponding request targets.
"""

SECRET = b"nobody but ronaldo may have this"
# Files that messi may not read.
SECRETS = ["secret.txt", "A.txt", "é.txt", "notes", "open.txt.d/secret.txt"]
# Files that messi may read. The targets are disguised as the first one. A careless server could
# take the name of a secret for one of the others.
OPEN = "open.txt"
OTHERS = ["%41.txt", "Ã©.txt", "notes#1.txt", "\ufffd.txt", "%2e%2e/secret.txt"]

TARGETS = [
    b"/avatars/secret.txt",
    b"//avatars/secret.txt",
    b"///avatars/secret.txt",
    b"/avatars//secret.txt",
    b"/avatars/./secret.txt",
    b"/avatars/secret.txt/",
    b"/avatars/secret.txt/.",
    b"/avatars/secret.txt//",
    b"/x/../avatars/secret.txt",
    b"/avatars/x/../secret.txt",
    b"/avatars/open.txt/../secret.txt",
    b"/avatars/../avatars/secret.txt",
    b"//avatars/../avatars/secret.txt",
    b"//host/avatars/secret.txt",
    b"//host/../avatars/secret.txt",
    b"//avatars/open.txt/../secret.txt",
    b"/avatars/%73ecret.txt",
    b"/%61vatars/secret.txt",
    b"/avatars%2fsecret.txt",
    b"/avatars/%2fsecret.txt",
    b"/avatars%2f%2e%2e%2favatars%2fsecret.txt",
    b"/avatars/%2e/secret.txt",
    b"/avatars/open.txt/%2e%2e/secret.txt",
    b"/avatars/open.txt%2f..%2fsecret.txt",
    b"/avatars/open.txt/%252e%252e/secret.txt",
    b"/avatars/open.txt%252f..%252fsecret.txt",
    b"/avatars/%2e%2e/secret.txt",
    b"/avatars/%252e%252e/secret.txt",
    b"/avatars/secret.txt#",
    b"/avatars/secret.txt#/avatars/open.txt",
    b"/avatars/open.txt#/../secret.txt",
    b"/avatars/open.txt%23/../secret.txt",
    b"/avatars/notes#1.txt",
    b"/avatars/secret.txt?path=/avatars/open.txt",
    b"/avatars/secret.txt?path=/avatars/open.txt&storage=avatars",
    b"/avatars/secret.txt?&storage=other&storage=avatars",
    b"/avatars/secret.txt?/../open.txt",
    b"/avatars/open.txt?/../secret.txt",
    b"/avatars/secret.txt%3f/../open.txt",
    b"/avatars/secret.txt;/../open.txt",
    b"/avatars/open.txt;/../secret.txt",
    b"/avatars/secret.txt;open.txt",
    b"/avatars/secret.txt%00",
    b"/avatars/secret.txt%00/../open.txt",
    b"/avatars/secret.txt%00open.txt",
    b"/avatars/\\secret.txt",
    b"/avatars/open.txt\\..\\secret.txt",
    b"/avatars/open.txt%5c..%5csecret.txt",
    b"/avatars/secret.txt%20",
    b"/avatars/secret.txt%0d%0aX-Original-URI:%20/avatars/open.txt",
    b"/avatars/secret.txt.",
    b"/AVATARS/secret.txt",
    b"/avatars/SECRET.TXT",
    b"http://127.0.0.1/avatars/secret.txt",
    b"http://127.0.0.1/avatars/open.txt/../secret.txt",
    b"http:/avatars/secret.txt",
    b"http:avatars/secret.txt",
    # Names that can be decoded in two ways.
    b"/avatars/%2541.txt",
    b"/avatars/%41.txt",
    b"/avatars/\xc3\xa9.txt",
    b"/avatars/%C3%A9.txt",
    b"/avatars/\xff.txt",
    b"/avatars/%ff.txt",
    b"/avatars/%c1%81.txt",
    # Files beside the folder.
    b"/avatars/../db.sqlite3",
    b"/avatars../db.sqlite3",
    b"/avatars/%2e%2e/db.sqlite3",
    b"/avatars/..%2fdb.sqlite3",
    b"/authorize-avatars",
    b"/authorize-avatars?storage=avatars",
    b"/avatars/" + b"x" * 5000,
    b"/avatars/" + b"x" * 7900,
    b"/avatars/" + b"x" * 20_000,
    b"/avatars/" + b"x/../" * 1000 + b"secret.txt",
    b"/avatars/secret.txt?" + b"a&" * 2000,
]
