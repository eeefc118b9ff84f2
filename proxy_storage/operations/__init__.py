"""Operations on the files and records of a project.

`import_field` creates the records of the files that the rows of a file field name already.
"""

from proxy_storage.operations.importing import BadRow, ImportStopped, Report, import_field

__all__ = ["BadRow", "ImportStopped", "Report", "import_field"]
