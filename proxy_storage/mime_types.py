"""The MIME type of a file by the extension of its name, and the detection of UTF-8.

The package has its own table of MIME types, because Python's ``mimetypes`` reads
``/etc/mime.types``, which differs between machines and is missing in many containers.
"""

from __future__ import annotations

import codecs
import posixpath
import re
from collections.abc import Mapping

from proxy_storage.settings import cached, proxy_storage_settings

# For unknown content. The header X-Content-Type-Options: nosniff prevents browsers from guessing.
DEFAULT_MIME_TYPE = "application/octet-stream"


# MIME type -> extensions.
# Source: the IANA registry; for unregistered types, the tables of Debian and Python.
_EXTENSIONS = {
    "application/atom+xml": "atom",
    "application/dicom": "dcm",
    "application/epub+zip": "epub",
    "application/geo+json": "geojson",
    "application/gpx+xml": "gpx",
    "application/gzip": "gz svgz tgz",
    "application/java-archive": "ear jar war",
    "application/json": "json map",
    "application/ld+json": "jsonld",
    "application/manifest+json": "webmanifest",
    "application/msword": "doc dot wiz",
    "application/mxf": "mxf",
    "application/octet-stream": "a bin dll exe o obj pyc pyd so",
    "application/ogg": "ogx",
    "application/pdf": "pdf",
    "application/pgp-encrypted": "gpg pgp",
    "application/pgp-signature": "sig",
    "application/pkcs10": "p10",
    "application/pkcs7-mime": "p7c p7m",
    "application/pkcs7-signature": "p7s",
    "application/pkix-cert": "cer crt",
    "application/postscript": "ai eps ps",
    "application/rss+xml": "rss",
    "application/rtf": "rtf",
    "application/sql": "sql",
    "application/toml": "toml",
    "application/vnd.amazon.ebook": "azw",
    "application/vnd.android.package-archive": "apk",
    "application/vnd.apache.parquet": "parquet",
    "application/vnd.apple.keynote": "key",
    "application/vnd.apple.mpegurl": "m3u8",
    "application/vnd.apple.numbers": "numbers",
    "application/vnd.apple.pages": "pages",
    "application/vnd.debian.binary-package": "deb",
    "application/vnd.google-earth.kml+xml": "kml",
    "application/vnd.google-earth.kmz": "kmz",
    "application/vnd.ms-cab-compressed": "cab",
    "application/vnd.ms-excel": "xlb xls xlt",
    "application/vnd.ms-excel.addin.macroenabled.12": "xlam",
    "application/vnd.ms-excel.sheet.binary.macroenabled.12": "xlsb",
    "application/vnd.ms-excel.sheet.macroenabled.12": "xlsm",
    "application/vnd.ms-excel.template.macroenabled.12": "xltm",
    "application/vnd.ms-fontobject": "eot",
    "application/vnd.ms-outlook": "msg",
    "application/vnd.ms-powerpoint": "ppa pps ppt pwz",
    "application/vnd.ms-powerpoint.presentation.macroenabled.12": "pptm",
    "application/vnd.ms-powerpoint.slideshow.macroenabled.12": "ppsm",
    "application/vnd.ms-project": "mpp",
    "application/vnd.ms-visio.drawing": "vsdx",
    "application/vnd.ms-word.document.macroenabled.12": "docm",
    "application/vnd.ms-word.template.macroenabled.12": "dotm",
    "application/vnd.oasis.opendocument.chart": "odc",
    "application/vnd.oasis.opendocument.database": "odb",
    "application/vnd.oasis.opendocument.formula": "odf",
    "application/vnd.oasis.opendocument.graphics": "odg",
    "application/vnd.oasis.opendocument.graphics-template": "otg",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/vnd.oasis.opendocument.presentation-template": "otp",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.spreadsheet-template": "ots",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.text-master": "odm",
    "application/vnd.oasis.opendocument.text-template": "ott",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.presentationml.slideshow": "ppsx",
    "application/vnd.openxmlformats-officedocument.presentationml.template": "potx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.template": "xltx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.template": "dotx",
    "application/vnd.rar": "rar",
    "application/vnd.sqlite3": "sqlite sqlite3",
    "application/vnd.visio": "vsd vss vst",
    "application/wasm": "wasm",
    "application/x-7z-compressed": "7z",
    "application/x-apple-diskimage": "dmg",
    "application/x-bibtex": "bib",
    "application/x-bittorrent": "torrent",
    "application/x-brotli": "br",
    "application/x-bzip": "bz2 tbz tbz2",
    "application/x-compress": "taz z",
    "application/x-cpio": "cpio",
    "application/x-dvi": "dvi",
    "application/x-hdf5": "h5 hdf5",
    "application/x-iso9660-image": "iso",
    "application/x-latex": "latex",
    "application/x-lzip": "lz",
    "application/x-lzma": "lzma",
    "application/x-mobipocket-ebook": "mobi prc",
    "application/x-msi": "msi",
    "application/x-ndjson": "jsonl ndjson",
    "application/x-netcdf": "nc",
    "application/x-pkcs12": "p12 pfx",
    "application/x-rpm": "rpm",
    "application/x-sh": "sh",
    "application/x-shockwave-flash": "swf",
    "application/x-tar": "tar",
    "application/x-tcl": "tcl",
    "application/x-tex": "tex",
    "application/x-texinfo": "texi texinfo",
    "application/x-x509-ca-cert": "der pem",
    "application/x-xz": "txz xz",
    "application/xhtml+xml": "xht xhtml",
    "application/xml": "rng xml xsd",
    "application/xml-dtd": "dtd",
    "application/xslt+xml": "xsl xslt",
    "application/yaml": "yaml yml",
    "application/zip": "zip",
    "application/zstd": "tzst zst",
    "audio/aac": "aac adts",
    "audio/aiff": "aif aifc aiff",
    "audio/amr": "amr",
    "audio/basic": "au snd",
    "audio/flac": "flac",
    "audio/midi": "kar mid midi rmi",
    "audio/mp4": "m4a m4b",
    "audio/mpeg": "mp2 mp3 mpga",
    "audio/ogg": "oga ogg opus spx",
    "audio/webm": "weba",
    "audio/x-mpegurl": "m3u",
    "audio/x-ms-wma": "wma",
    "audio/x-wav": "wav",
    "font/collection": "ttc",
    "font/otf": "otf",
    "font/ttf": "ttf",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "image/apng": "apng",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/heif": "heif",
    "image/ief": "ief",
    "image/jp2": "jp2 jpg2",
    "image/jpeg": "jfif jpe jpeg jpg pjp pjpeg",
    "image/jpx": "jpf jpx",
    "image/jxl": "jxl",
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/tiff": "tif tiff",
    "image/vnd.adobe.photoshop": "psd",
    "image/vnd.djvu": "djv djvu",
    "image/vnd.dwg": "dwg",
    "image/vnd.dxf": "dxf",
    "image/vnd.microsoft.icon": "ico",
    "image/webp": "webp",
    "image/x-adobe-dng": "dng",
    "image/x-canon-cr2": "cr2",
    "image/x-nikon-nef": "nef",
    "image/x-portable-anymap": "pnm",
    "image/x-portable-bitmap": "pbm",
    "image/x-portable-graymap": "pgm",
    "image/x-portable-pixmap": "ppm",
    "image/x-rgb": "rgb",
    "image/x-xbitmap": "xbm",
    "image/x-xcf": "xcf",
    "image/x-xpixmap": "xpm",
    "message/rfc822": "eml mht mhtml nws",
    "model/gltf+json": "gltf",
    "model/gltf-binary": "glb",
    "model/iges": "iges igs",
    "model/step": "step stp",
    "model/stl": "stl",
    "text/calendar": "ics ifb",
    "text/css": "css",
    "text/csv": "csv",
    "text/html": "htm html shtml",
    "text/javascript": "cjs js mjs",
    "text/markdown": "markdown md",
    "text/plain": "asc bat c conf diff h ini ksh list log patch pl po pot properties srt text txt",
    "text/richtext": "rtx",
    "text/sgml": "sgm sgml",
    "text/tab-separated-values": "tsv",
    "text/vcard": "vcard vcf",
    "text/vtt": "vtt",
    "text/x-c++src": "c++ cc cpp cxx",
    "text/x-java": "java",
    "text/x-python": "py",
    "text/x-rst": "rst",
    "text/x-setext": "etx",
    "video/3gpp": "3gp 3gpp",
    "video/3gpp2": "3g2 3gpp2",
    "video/mp2t": "m2t m2ts mts ts",
    "video/mp4": "m4v mp4 mpg4",
    "video/mpeg": "m1v mpa mpe mpeg mpg",
    "video/ogg": "ogv",
    "video/quicktime": "mov qt",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/x-matroska": "mkv",
    "video/x-ms-asf": "asf asx",
    "video/x-ms-wmv": "wmv",
    "video/x-msvideo": "avi",
    "video/x-sgi-movie": "movie",
}
_TYPES = {
    f".{extension}": mime_type
    for mime_type, extensions in _EXTENSIONS.items()
    for extension in extensions.split()
}


def guess_mime_type(name: str) -> str:
    """Return the MIME type for the extension of a name.

    The type that a browser sends with an upload is not used, because the uploader could choose
    it. A compressed file has the type of its compression, as in Django's ``FileResponse``:
    otherwise a browser would unpack ``notes.txt.gz``, and save a different file.

    Args:
        name: a name or a path. The case of the extension does not matter.

    Returns:
        The type in the setting ``MIME_TYPES``, else the type in the table of this module, else
        `DEFAULT_MIME_TYPE`.

    >>> guess_mime_type("cv.pdf"), guess_mime_type("letters.tar.gz")
    ('application/pdf', 'application/gzip')
    """
    extension = posixpath.splitext(name)[1].lower()
    return _get_project_types().get(extension) or _TYPES.get(extension, DEFAULT_MIME_TYPE)


@cached
def _get_project_types() -> Mapping[str, str]:
    return proxy_storage_settings.get_dict("MIME_TYPES")


# The only charset that is stored in records. It is not stored for other content.
UTF_8 = "utf-8"


class Utf8Check:
    """Check whether bytes, which are passed in several parts, are text in UTF-8.

    Text in UTF-16 without a byte order mark, or in an encoding such as ISO-2022-JP, is also valid
    UTF-8. So data with NUL or with the escape sequences of these encodings is not accepted.
    """

    # The limit saves memory: a decoded piece can take four times as much memory as its bytes.
    PIECE = 64 * 1024
    _OTHER = re.compile(rb"\0|\x1b[$(]")

    def __init__(self) -> None:
        self.is_valid = True
        self._decoder = codecs.getincrementaldecoder(UTF_8)()
        self._last = b""

    def update(self, data: bytes) -> None:
        """Check the next bytes. After the first invalid byte, the data is ignored."""
        for start in range(0, len(data), self.PIECE):
            if not self.is_valid:
                return
            piece = data[start : start + self.PIECE]
            try:
                self._decoder.decode(piece)
            except UnicodeDecodeError:
                self.is_valid = False
            self.is_valid &= self._OTHER.search(self._last + piece) is None
            self._last = piece[-1:]

    def finish(self) -> bool:
        """Return whether all data is UTF-8, and its last character is complete."""
        return self.is_valid and self._decoder.getstate()[0] == b""
