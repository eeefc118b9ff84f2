import atexit
import shutil
import tempfile

import pytest
from django.conf import settings
from hypothesis.configuration import set_hypothesis_home_dir

from proxy_storage.registry import get_proxy_storage

pytest.register_assert_rewrite("tests.safety.contents", "tests.safety.leftovers")

# what hypothesis keeps of Unicode goes neither into the tree nor to the files of the tests
HYPOTHESIS = tempfile.mkdtemp(prefix="proxy-storage-tests-hypothesis-")
atexit.register(shutil.rmtree, HYPOTHESIS, ignore_errors=True)
set_hypothesis_home_dir(HYPOTHESIS)


@pytest.fixture(params=settings.CONTRACT)
def storage(request):
    """Each storage of the contract, or one that the test names, without files."""
    if request.param.endswith("s3"):
        request.getfixturevalue("s3_endpoint")
    request.getfixturevalue("empty_storages")
    return get_proxy_storage(request.param)
