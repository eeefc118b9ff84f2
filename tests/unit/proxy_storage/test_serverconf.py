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
    def test_no_file_for_the_web_server_raises_configuration_error(
        self, settings, web_server, server
    ):
        with pytest.raises(ConfigurationError) as error:
            write(settings, web_server, one=(ROOT, StreamingServer()))
        assert str(error.value) == (
            f"No file is to be delivered by {web_server}. Set PROXY_STORAGE['SERVERS'] to {server}"
            f" for the files that {web_server} shall deliver. Found: one (StreamingServer)."
        )

    def test_no_proxy_storage(self, settings):
        with pytest.raises(ConfigurationError, match="no proxy storage"):
            write(settings, "nginx")

    @pytest.mark.parametrize(
        ("web_server", "suitable", "suitable_for"),
        [("nginx", ACCEL, "Apache and lighttpd"), ("apache", LISTED, "nginx and Caddy")],
    )
    def test_server_for_other_web_servers_is_a_warning(
        self, settings, web_server, suitable, suitable_for
    ):
        other = LISTED if suitable is ACCEL else ACCEL
        found = write(settings, web_server, one=suitable, two=other)
        [warning] = found.warnings
        assert warning.startswith("two (X")
        assert warning.endswith(f"is for {suitable_for}.")
        assert f"# {warning}\n" in found.text

    def test_presigned_urls_for_another_web_server_than_nginx(self, settings):
        [warning] = write(settings, "caddy", one=ACCEL, two=SIGNED).warnings
        assert warning.startswith("two (XAccelRedirectServer) is for nginx, the only")

    def test_server_without_configuration_is_a_remark(self, settings):
        memory = InMemoryStorage()
        found = write(settings, "nginx", one=ACCEL, two=(memory, StreamingServer()))
        assert found.warnings == ()
        assert found.text.endswith("\n\n# two (StreamingServer) needs no configuration.\n")

    def test_server_class_of_the_project_is_a_remark(self, settings):
        class Own(StreamingServer.__base__):
            def serve(self, request, meta_backend_obj, headers):
                """Never called."""

        found = write(settings, "nginx", one=ACCEL, two=(ROOT, Own()))
        assert "# two (Own) is not known, so nothing is written for it.\n" in found.text


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

    def test_additional_header(self, settings):
        options = Options(headers=("X-Own", "vary"))
        text = write(settings, "nginx", options=options, one=ACCEL, two=SIGNED).text
        assert "    set $file_x_own $upstream_http_x_own;\n" in text
        assert "add_header X-Own $file_x_own always;\n" in text
        assert "proxy_hide_header X-Own;\n" in text
        assert text.lower().count("\nadd_header vary ") == 1

    def test_variable_names_fit_into_the_hash_buckets_of_nginx(self, settings):
        """46 characters fit into 64 bytes, the default on most machines."""
        text = write(settings, "nginx", one=ACCEL).text
        assert max(map(len, re.findall(r"\$(file_\w+)", text))) <= 46

    def test_root_folder(self, settings):
        text = write(settings, "nginx", one=(FileSystemStorage("/"), ACCEL[1])).text
        assert '    alias "/";\n' in text

    def test_dollar_sign_is_a_variable(self, settings):
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
    def test_each_folder_is_listed_once(self, settings):
        whole = (FileSystemStorage("/"), XSendfileServer())
        found = write(settings, "apache", one=LISTED, two=LISTED, three=whole)
        assert found.warnings == ()
        assert 'XSendFile on\nXSendFilePath "/"\nXSendFilePath "/srv/files"\n' in found.text
        assert "RequestHeader set X-Sendfile-Type X-Sendfile\n" in found.text
        assert "Define" not in found.text

    def test_escape_is_a_warning(self, settings):
        [warning] = write(settings, "apache", one=LISTED, two=ESCAPED).warnings
        assert warning.startswith("two (XSendfileServer) has escape=True")

    def test_dollar_sign_is_a_variable_of_apache(self, settings):
        text = write(settings, "apache", one=(FileSystemStorage("/${A}"), LISTED[1])).text
        assert "Define PROXY_STORAGE_DOLLAR $\n" in text
        assert 'XSendFilePath "/${PROXY_STORAGE_DOLLAR}{A}"\n' in text

    @pytest.mark.parametrize(
        ("text", "quoted"), [("$a b", '"$a b"'), ('a"b', '"a\\"b"'), ("a\\b", '"a\\\\b"')]
    )
    def test_quoting(self, text, quoted):
        assert apache.quote(text) == quoted


class TestLighttpd:
    def test_folders_are_one_list(self, settings):
        whole = (FileSystemStorage("/"), XSendfileServer(escape=True))
        found = write(settings, "lighttpd", one=ESCAPED, two=whole)
        assert '    "x-sendfile-docroot" => ("/", "/srv/files"),\n' in found.text
        assert '    "host" => "127.0.0.1",\n    "port" => "8000",\n' in found.text
        assert found.warnings == ()

    def test_address_of_the_site(self, settings):
        text = write(settings, "lighttpd", options=Options(site="[::1]:99"), one=ESCAPED).text
        assert '    "host" => "::1",\n    "port" => "99",\n' in text

    def test_server_without_escape_raises_configuration_error(self, settings):
        with pytest.raises(ConfigurationError, match=r"one \(XSendfileServer\).*'escape': True"):
            write(settings, "lighttpd", one=LISTED)

    def test_symbolic_link_above_the_folder_is_a_warning(self, settings, tmp_path):
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
    def test_inner_location_comes_first(self, settings):
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
    def test_folder_that_caddy_cannot_express(self, text):
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

    def test_warnings_are_printed_to_standard_error(self, settings):
        expected = write(settings, "nginx", one=ACCEL, two=LISTED)
        output, errors = self.run("serverconf", "nginx")
        assert output == expected.text
        assert errors == f"Warning: {expected.warnings[0]}\n"

    def test_configuration_error_is_a_command_error(self, settings):
        use_storages(settings, one=ACCEL)
        with pytest.raises(CommandError, match="No file is to be delivered by apache"):
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

    def test_option_of_lighttpd(self, settings):
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
            ("lighttpd", "--site", "here", "is not a host with a port"),
            ("lighttpd", "--site", "here:", "is not a host with a port"),
            ("iis", "--cache", "a", "invalid choice: 'iis'"),
        ],
    )
    def test_invalid_option(self, settings, web_server, option, value, message):
        use_storages(settings, one=ACCEL)
        with pytest.raises(CommandError, match=message):
            self.run("serverconf", web_server, option, value)

    def test_subcommand_is_required(self):
        with pytest.raises(CommandError, match="SUBCOMMAND"):
            self.run()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [([], "serverconf"), (["serverconf"], "nginx|apache|lighttpd|caddy")],
    )
    def test_help_of_command_and_subcommand(self, capsys, arguments, words):
        with pytest.raises(SystemExit):
            call_command("proxystorage", *arguments, "--help")
        assert words in capsys.readouterr().out
