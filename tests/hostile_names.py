"""File names that cause errors in headers, URLs, shells or file systems.

Each item is ``(id, name)``. A storage may reject a name, but must not change an accepted name.
"""

HOSTILE_NAMES = [
    # Common names in several languages
    ("spaces", "two  spaces   and more.txt"),
    ("apostrophe", "it's.txt"),
    ("latin-1", "Übergröße.txt"),
    ("nfc", "r\u00e9sum\u00e9.txt"),
    ("nfd", "re\u0301sume\u0301.txt"),
    ("japanese", "日本語の履歴書.txt"),
    ("right-to-left", "קורות חיים.txt"),
    ("turkish-i", "\u0130stanbul \u0131.txt"),
    ("emoji", "photo \U0001f600.txt"),
    ("joined-emoji", "\U0001f468\u200d\U0001f469\u200d\U0001f467.txt"),
    ("no-extension", "README"),
    ("several-extensions", "backup.2024.tar.gz"),
    ("very-long-extension", "notes." + "x" * 200),
    # Characters with a meaning in a header
    ("double-quote", 'a"b.txt'),
    ("quoted-beyond-latin-1", "\"€\" & '日本'.txt"),
    ("end-of-parameter", 'a"; filename="evil.html'),
    ("semicolon-and-comma", "a;b,c=d.txt"),
    ("like-a-parameter", "filename*=utf-8''evil.html"),
    ("like-an-extended-value", "utf-8''evil%2Ehtml"),
    ("like-an-encoded-word", "=?utf-8?Q?evil=2Ehtml?="),
    ("line-end", "a\r\nSet-Cookie: evil=1.txt"),
    ("nul", "evil.html\0.txt"),
    # Characters with a meaning in a URL
    ("percent", "100%.txt"),
    ("percent-25", "100%25.txt"),
    ("percent-2f", "..%2F..%2Fevil.txt"),
    ("percent-00", "evil.html%00.txt"),
    ("percent-utf-8", "%C3%A9 and é.txt"),
    ("question-mark", "what?a=b&c=d.txt"),
    ("hash", "no#1.txt"),
    ("plus", "a+b c.txt"),
    ("scheme", "javascript:alert(1).txt"),
    # Characters with a meaning in a file system or shell
    ("backslash", "folder\\name.txt"),
    ("escaped-quote", 'a\\"b.txt'),
    ("parent", "../evil.txt"),
    ("absolute", "/etc/evil.txt"),
    ("leading-dot", ".htaccess"),
    ("leading-dots", "...dots.txt"),
    ("leading-dash", "-rf *.txt"),
    ("leading-space", " leading.txt"),
    ("trailing-space", "trailing "),
    ("trailing-dot", "trailing."),
    ("tilde", "~"),
    ("device", "con"),
    ("device-with-extension", "aux.txt"),
    ("drive", "c:evil.txt"),
    ("markup-and-pipe", "<b>|*.txt"),
    ("substitution", "$(id) `id` ${HOME}.txt"),
    # Names that look like other names
    ("right-to-left-override", "picture\u202etxt.exe"),
    ("invisible", "pay\u200bpal\ufeff\u00ad.txt"),
    ("look-alike-slashes", "a\u2215b\uff0fc.txt"),
    ("line-separator", "a\u2028b.txt"),
    ("no-break-spaces", "\u00a0a\u00a0"),
    ("half-of-a-pair", "\ud83d.txt"),
    ("noncharacter", "a\ufdd0\uffff.txt"),
    # Names near the limit of most file systems, 255 bytes
    ("244-bytes", "n" * 240 + ".txt"),
    ("255-bytes", "n" * 251 + ".txt"),
    ("255-bytes-of-japanese", "日" * 82 + "long.jpeg"),
]

# Keys of S3 objects that require different escaping
KEYS = [
    "plain.txt",
    "with space.txt",
    "é.txt",
    "%41.txt",
    "a+b.txt",
    "a%20b%2Fc.txt",
    "sub folder/日本 + %C3%A9.txt",
    "quote'\"question?hash#and&equals=semi;colon:.txt",
    "(brackets) [and] {braces} ~ * ! $ @ , | ^ `.txt",
]
