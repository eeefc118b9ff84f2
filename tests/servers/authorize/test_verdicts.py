"""nginx caches the site's decisions for a while, if the cache is switched on."""

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.programs import wait_for
from tests.servers.authorize.fronts import running_front
from tests.servers.site.checks import CONTENT, check_part, check_whole


def keep_verdicts(site, validity):
    """Run nginx with the lines of its configuration that switch the cache on."""

    def change(text):
        assert "#cache " in text
        assert text.count(" 5s;") == 1
        return text.replace("#cache ", "").replace(" 5s;", f" {validity};")

    return running_front(site, "nginx", site.folder / f"nginx-{validity}", change=change)


@pytest.fixture(scope="module")
def cached(site, need_program):
    """nginx that caches decisions for longer than a test takes."""
    need_program("nginx")
    with keep_verdicts(site, "1h") as front:
        yield front


@pytest.fixture(scope="module")
def forgetful(site, need_program):
    """nginx that caches decisions for a second or two."""
    need_program("nginx")
    with keep_verdicts(site, "1s") as front:
        yield front


def get_authorization(name_and_password):
    return f"Basic {base64.b64encode(name_and_password.encode()).decode()}"


def test_repeated_downloads_and_ranges_do_not_reach_the_site(cached, site, url):
    target = f"{url}?often"
    for number in range(20):
        check_whole(cached.ask(target, "messi"))
        check_part(cached.ask(target, "messi", {"Range": f"bytes={number}-99"}), number, 100)
        assert cached.ask(target, "messi", method="HEAD").status == 200
    assert site.count_asked(target) == 1


def test_cached_response_equals_the_first_one(cached, url):
    target = f"{url}?again"
    first, second = (cached.ask(target, "messi") for _ in range(2))
    assert first.facts == second.facts
    assert first.headers["Content-Disposition"] == 'inline; filename="letter.txt"'


def test_many_at_once_ask_the_site_once(cached, site, url):
    target = f"{url}?at-once"
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: cached.ask(target, "messi"), range(20)))
    for answer in answers:
        check_whole(answer)
    assert site.count_asked(target) == 1


def test_sessions_have_separate_cache_entries(cached, site, url):
    target, cookie = f"{url}?others", site.get_cookie("messi")
    check_whole(cached.ask(target, headers={"Cookie": cookie}))
    for other, status in (
        (site.get_cookie("ronaldo"), 403),
        ("", 401),
        ("sessionid=", 401),
        (f"sessionid={'x' * 32}", 401),
        (f"{cookie}; {site.get_cookie('ronaldo')}", 403),
        (f"{cookie[:-1]}", 401),
    ):
        assert cached.ask(target, headers={"Cookie": other}).status == status
    # A new session of the same user has a cache entry of its own.
    check_whole(cached.ask(target, headers={"Cookie": site.log_in("messi")}))
    assert site.count_asked(target) == 8


def test_passwords_have_separate_cache_entries(cached, site, url):
    target = f"{url}?passwords"
    for _ in range(2):
        for who, status in (("messi:messi", 200), ("ronaldo:ronaldo", 403), ("messi:x", 401)):
            answer = cached.ask(target, headers={"Authorization": get_authorization(who)})
            assert answer.status == status
            assert ("WWW-Authenticate" in answer.headers) == (status == 401)
        assert cached.ask(target).status == 401
    assert site.count_asked(target) == 4


def test_link_does_not_allow_the_bare_url(cached, site, url):
    query = f"{site.get_link('/avatars/letter.txt')}&kept"
    for _ in range(2):
        check_whole(cached.ask(f"{url}?{query}"))
        assert cached.ask(f"{url}?{query.replace('signature=', 'signature=x')}").status == 401
        assert cached.ask(f"{url}?").status == 401
    assert site.count_asked(f"{url}?{query}") == 1


def test_all_headers_for_the_site_are_in_the_cache_key(cached, site, url):
    target, cookie = f"{url}?told", site.get_cookie("messi")
    own = {
        "Cookie": cookie,
        "Authorization": get_authorization("messi:messi"),
        "X-Forwarded-For": "192.0.2.1",
    }
    others = {
        "User-Agent": "a browser",
        "Accept-Language": "de",
        "X-Api-Key": "key",
        "X-HTTP-Method-Override": "DELETE",
        "Range": "bytes=0-3",
        "If-None-Match": "*",
        "X-Forwarded-Proto": "https",
        "X-Original-URI": "/avatars/open.txt",
    }
    cached.ask(target, headers={**own, **others})
    (told,) = site.get_asked(target)
    assert told == {
        **own,
        "Host": cached.address,
        "Connection": "close",
        "X-Forwarded-For": "192.0.2.1, 127.0.0.1",
        "X-Forwarded-Proto": "http",
        "X-Original-Uri": target,
    }
    for number, changed in enumerate(
        (
            {"Host": "127.0.0.1"},
            {"X-Forwarded-For": "192.0.2.2"},
            {"Cookie": f"{cookie}; a=b"},
            {"Authorization": get_authorization("ronaldo:ronaldo")},
        ),
        start=2,
    ):
        cached.ask(target, headers={**own, **changed})
        assert site.count_asked(target) == number


def test_refusals_are_cached(cached, site):
    url = site.save("late.txt", CONTENT)
    for target, status in ((url, 403), ("/avatars/nowhere.txt", 404)):
        for _ in range(5):
            assert cached.ask(target, "messi").status == status
        assert site.count_asked(target) == 1
    site.set_readers("/avatars/late.txt", "messi")
    assert cached.ask(url, "messi").status == 403


def test_errors_are_not_cached(cached, site, url):
    target = f"{url}?disposition=upside-down&error"
    for _ in range(3):
        assert cached.ask(target, "messi").status == 400
    assert site.count_asked(target) == 3


def test_withdrawn_permission_ends_with_the_cache_entry(forgetful, site):
    url = site.save("taken.txt", CONTENT, "messi")
    check_whole(forgetful.ask(url, "messi"))
    site.set_readers("/avatars/taken.txt")
    answer = wait_for(lambda: forgetful.ask(url, "messi"), lambda answer: answer.status != 200)
    assert answer.status == 403
    assert CONTENT[:4] not in answer.body
