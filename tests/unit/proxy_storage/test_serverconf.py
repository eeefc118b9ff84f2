import re
from io import StringIO

import pytest
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from django.core.management import CommandError, call_command

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.serverconf import Options, apache, caddy, get_configuration, lighttpd, nginx
from proxy_storage.serving import StreamingServer, XAccelRedirectServer, XSendfileServer
from proxy_storage.serving.headers import CONTENT_SECURITY_POLICY
from tests.unit.proxy_storage.serverconf_settings import SigningStorage, use_storages

ROOT = FileSystemStorage("/srv/files")
ACCEL = (ROOT, XAccelRedirectServer("/a/"))
LISTED = (ROOT, XSendfileServer())
ESCAPED = (ROOT, XSendfileServer(escape=True))
SIGNED = (SigningStorage("http://127.0.0.1:9000/"), XAccelRedirectServer("/s/"))


def write(settings, web_server, *, options=None, **storages):
    use_storages(settings, **storages)
    return get_configuration(web_server, options)


class TestEveryWebServer:
    @pytest.mark.parametrize(
        ("web_server", "server"),
        [
            ("nginx", "XAccelRedirectServer"),
            ("apache", "XSendfileServer"),
            ("lighttpd", "XSendfileServer with escape=True"),
            ("caddy", "XAccelRedirectServer"),
        ],
    )
    def test_nothing_to_write(self, settings, web_server, server):
        with pytest.raises(ConfigurationError) as error:
            write(settings, web_server, one=(ROOT, StreamingServer()))
        assert str(error.value) == (
            f"There is nothing to write for {web_server}. Set PROXY_STORAGE['SERVERS'] to {server}"
            " for the files that it is to deliver. There is now: one (StreamingServer)."
        )

    def test_no_proxy_storage(self, settings):
        with pytest.raises(ConfigurationError, match="no proxy storage"):
            write(settings, "nginx")

    @pytest.mark.parametrize(
        ("web_server", "fits", "audience"),
        [("nginx", ACCEL, "Apache and lighttpd"), ("apache", LISTED, "nginx and Caddy")],
    )
    def test_what_is_for_others_is_a_warning(self, settings, web_server, fits, audience):
        other = LISTED if fits is ACCEL else ACCEL
        found = write(settings, web_server, one=fits, two=other)
        [warning] = found.warnings
        assert warning.startswith("two (X")
        assert warning.endswith(f"is for {audience}.")
        assert f"# {warning}\n" in found.text

    def test_presigned_urls_are_for_nginx(self, settings):
        [warning] = write(settings, "caddy", one=ACCEL, two=SIGNED).warnings
        assert warning.startswith("two (XAccelRedirectServer) is for nginx, which alone")

    def test_what_needs_nothing_is_a_remark(self, settings):
        memory = InMemoryStorage()
        found = write(settings, "nginx", one=ACCEL, two=(memory, StreamingServer()))
        assert found.warnings == ()
        assert found.text.endswith("\n\n# two (StreamingServer) needs nothing here.\n")

    def test_server_of_the_projects_own_is_a_remark(self, settings):
        class Own(StreamingServer.__base__):
            def serve(self, request, meta_backend_obj, headers):
                """Never called."""

        found = write(settings, "nginx", one=ACCEL, two=(ROOT, Own()))
        assert "# two (Own) is not known here.\n" in found.text


class TestNginx:
    def test_folder(self, settings):
        text = write(settings, "nginx", one=ACCEL, two=ACCEL).text
        assert "# one, two\nlocation ^~ /a/ {\n    internal;\n" in text
        assert '    alias "/srv/files/";\n' in text
        assert '    disable_symlinks on "from=/srv/files/";\n' in text
        assert "add_header Vary $file_vary always;\n" in text
        assert f'set $file_content_security_policy "{CONTENT_SECURITY_POLICY}";\n' in text
        assert "#     proxy_set_header X-Sendfile-Type X-Accel-Redirect;\n" in text
        assert "http { }" not in text
        assert "Content-Range" not in text
        assert "@proxy_storage" not in text

    def test_all_but_blocks_is_comment(self, settings):
        text = write(settings, "nginx", one=ACCEL, two=(ROOT, None)).text
        blocks = [block for block in text.split("\n\n") if not block.startswith("#")]
        assert blocks == []

    def test_further_header(self, settings):
        options = Options(headers=("X-Own", "vary"))
        text = write(settings, "nginx", options=options, one=ACCEL, two=SIGNED).text
        assert "    set $file_x_own $upstream_http_x_own;\n" in text
        assert "add_header X-Own $file_x_own always;\n" in text
        assert "proxy_hide_header X-Own;\n" in text
        assert text.lower().count("\nadd_header vary ") == 1

    def test_variables_fit_into_the_buckets_of_nginx(self, settings):
        """46 characters fit into the 64 bytes that are the default of most machines."""
        text = write(settings, "nginx", one=ACCEL).text
        assert max(map(len, re.findall(r"\$(file_\w+)", text))) <= 46

    def test_whole_machine(self, settings):
        text = write(settings, "nginx", one=(FileSystemStorage("/"), ACCEL[1])).text
        assert '    alias "/";\n' in text

    def test_dollar_sign_comes_from_outside(self, settings):
        text = write(settings, "nginx", one=(FileSystemStorage("/srv/$a"), ACCEL[1])).text
        assert '#     geo $proxy_storage_dollar { default "$"; }\n' in text
        assert 'alias "/srv/${proxy_storage_dollar}a/";' in text

    @pytest.mark.parametrize(
        ("text", "quoted"),
        [("a b", '"a b"'), ('a"b', '"a\\"b"'), ("a\\b", '"a\\\\b"'), ("é{;#'", '"é{;#\'"')],
    )
    def test_quoting(self, text, quoted):
        assert nginx.quote(text) == quoted


class TestApache:
    def test_each_folder_once(self, settings):
        whole = (FileSystemStorage("/"), XSendfileServer())
        found = write(settings, "apache", one=LISTED, two=LISTED, three=whole)
        assert found.warnings == ()
        assert 'XSendFile on\nXSendFilePath "/"\nXSendFilePath "/srv/files"\n' in found.text
        assert "RequestHeader set X-Sendfile-Type X-Sendfile\n" in found.text
        assert "Define" not in found.text

    def test_escape_is_for_another_version(self, settings):
        [warning] = write(settings, "apache", one=LISTED, two=ESCAPED).warnings
        assert warning.startswith("two (XSendfileServer) has escape=True")

    def test_variable_that_is_none(self, settings):
        text = write(settings, "apache", one=(FileSystemStorage("/${A}"), LISTED[1])).text
        assert "Define PROXY_STORAGE_DOLLAR $\n" in text
        assert 'XSendFilePath "/${PROXY_STORAGE_DOLLAR}{A}"\n' in text

    @pytest.mark.parametrize(
        ("text", "quoted"), [("$a b", '"$a b"'), ('a"b', '"a\\"b"'), ("a\\b", '"a\\\\b"')]
    )
    def test_quoting(self, text, quoted):
        assert apache.quote(text) == quoted


class TestLighttpd:
    def test_folders_in_one_list(self, settings):
        whole = (FileSystemStorage("/"), XSendfileServer(escape=True))
        found = write(settings, "lighttpd", one=ESCAPED, two=whole)
        assert '    "x-sendfile-docroot" => ("/", "/srv/files"),\n' in found.text
        assert '    "host" => "127.0.0.1",\n    "port" => "8000",\n' in found.text
        assert found.warnings == ()

    def test_where_the_site_is(self, settings):
        text = write(settings, "lighttpd", options=Options(site="[::1]:99"), one=ESCAPED).text
        assert '    "host" => "::1",\n    "port" => "99",\n' in text

    def test_paths_have_to_be_escaped(self, settings):
        with pytest.raises(ConfigurationError, match=r"one \(XSendfileServer\).*'escape': True"):
            write(settings, "lighttpd", one=LISTED)

    def test_link_above_the_folder(self, settings, tmp_path):
        real, link = tmp_path.resolve() / "real", tmp_path.resolve() / "link"
        real.mkdir()
        link.symlink_to(real)
        storages = {
            name: (FileSystemStorage(root), ESCAPED[1])
            for name, root in (("one", link), ("two", real))
        }
        [warning] = write(settings, "lighttpd", **storages).warnings
        assert warning.startswith("one (XSendfileServer)")
        assert repr(str(real)) in warning

    @pytest.mark.parametrize(
        ("text", "quoted"),
        [('a"b', '"a\\"b"'), ("a\\b", '"a\\b"'), ("a\\", '"a\\/"'), ("$a", '"$a"')],
    )
    def test_quoting(self, text, quoted):
        assert lighttpd.quote(text) == quoted


class TestCaddy:
    def test_inner_location_goes_first(self, settings):
        below = (FileSystemStorage("/srv/files/b"), XAccelRedirectServer("/a/b/"))
        text = write(settings, "caddy", options=Options(site="site:80"), one=ACCEL, two=below).text
        lines = [line.strip() for line in text.splitlines()]
        assert lines.index("# two") < lines.index("# one")
        assert "reverse_proxy site:80 {" in lines
        assert "@proxy_storage_1 header X-Accel-Redirect /a/b/*" in lines
        assert "root * `/srv/files/b/`" in lines
        assert "uri strip_prefix /a" in lines

    @pytest.mark.parametrize(
        ("text", "quoted"), [('a "\\b$', '`a "\\b$`'), ('`a"\\b', '"`a\\"\\b"')]
    )
    def test_quoting(self, text, quoted):
        assert caddy.quote(text) == quoted

    @pytest.mark.parametrize("text", ["{a", "a}", '`\\"'])
    def test_what_it_cannot_be_told_of(self, text):
        with pytest.raises(ConfigurationError, match="Rename"):
            caddy.quote(text)


class TestCommand:
    def run(self, *arguments):
        output, errors = StringIO(), StringIO()
        call_command("proxystorage", *arguments, stdout=output, stderr=errors, skip_checks=True)
        return output.getvalue(), errors.getvalue()

    def test_prints_the_configuration(self, settings):
        expected = write(settings, "nginx", one=ACCEL).text
        assert self.run("serverconf", "nginx") == (expected, "")

    def test_warnings_go_elsewhere(self, settings):
        expected = write(settings, "nginx", one=ACCEL, two=LISTED)
        output, errors = self.run("serverconf", "nginx")
        assert output == expected.text
        assert errors == f"Warning: {expected.warnings[0]}\n"

    def test_what_cannot_be_done_is_an_error_of_the_command(self, settings):
        use_storages(settings, one=ACCEL)
        with pytest.raises(CommandError, match="nothing to write for apache"):
            self.run("serverconf", "apache")

    def test_options_of_nginx(self, settings):
        storage = SigningStorage()
        use_storages(settings, one=(storage, XAccelRedirectServer("/s/")))
        text, _ = self.run(
            *("serverconf", "nginx", "--cache", "objects", "--ca-file", "/my ca.pem"),
            *("--resolver", "10.0.0.1", "--resolver", "[::1]:53", "--header", "X-Own"),
        )
        assert "resolver 10.0.0.1 [::1]:53;\n" in text
        assert "proxy_cache objects;\n" in text
        assert "add_header X-Own $file_x_own always;\n" in text
        assert 'proxy_ssl_trusted_certificate "/my ca.pem";\n' in text

    def test_option_of_others(self, settings):
        use_storages(settings, one=ESCAPED)
        text, _ = self.run("serverconf", "lighttpd", "--site", "10.0.0.1:80")
        assert '"host" => "10.0.0.1"' in text

    @pytest.mark.parametrize(
        ("web_server", "option", "value", "message"),
        [
            ("nginx", "--site", "a:1", "--site is for lighttpd and caddy"),
            ("apache", "--resolver", "10.0.0.1", "--resolver is for nginx"),
            ("caddy", "--cache", "objects", "--cache is for nginx"),
            ("lighttpd", "--ca-file", "/a", "--ca-file is for nginx"),
            ("nginx", "--resolver", "10.0.0.1; evil", "is not an address"),
            ("nginx", "--cache", "a b", "is not a name of letters"),
            ("nginx", "--header", "X Y", "is not the name of a header"),
            ("nginx", "--header", "X" * 41, "is not the name of a header"),
            ("caddy", "--header", "X-Own", "--header is for nginx"),
            ("nginx", "--ca-file", '/"', "is not a path without"),
            ("lighttpd", "--site", "here", "is not host and port"),
            ("lighttpd", "--site", "here:", "is not host and port"),
            ("iis", "--cache", "a", "invalid choice: 'iis'"),
        ],
    )
    def test_option_that_makes_no_sense(self, settings, web_server, option, value, message):
        use_storages(settings, one=ACCEL)
        with pytest.raises(CommandError, match=message):
            self.run("serverconf", web_server, option, value)

    def test_part_has_to_be_named(self):
        with pytest.raises(CommandError, match="PART"):
            self.run()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [([], "serverconf"), (["serverconf"], "nginx|apache|lighttpd|caddy")],
    )
    def test_help_on_both_levels(self, capsys, arguments, words):
        with pytest.raises(SystemExit):
            call_command("proxystorage", *arguments, "--help")
        assert words in capsys.readouterr().out
