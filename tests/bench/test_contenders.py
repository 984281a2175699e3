"""Each contender's configuration for each case: it says what the case wants, and soapgate's is one
that soapgate takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import backends
from bench.cases import CASES, Case, backend_names, pinned_backend, pinned_id
from bench.contenders import Setting, haproxy, nginx_njs, soapgate
from bench.contenders.everybody import BESIDE, CONTENDERS
from soapgate import config
from soapgate.core.keys import Keys
from soapgate.stores.lmdb import LmdbStore


def setting(case: Case, directory: Path) -> Setting:
    names = backend_names(case.backends)
    ports = {name: 9000 + number for number, name in enumerate(names, 1)}
    pem = directory / "some:where.pem" if case.tls else None
    return Setting(directory, 8080, ports, case, pem)


def haproxy_text(name: str, directory: Path) -> str:
    haproxy.HAPROXY.command(setting(CASES[name], directory))
    return (directory / "haproxy.cfg").read_text()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_soapgate_takes_its_configuration(case: Case, workers: int, tmp_path: Path) -> None:
    text = soapgate.text(setting(case, tmp_path), workers)
    assert ("workers = 2" in text) == (workers == 2)
    found = config.parse(text.replace("workers = 2\n", ""), "bench")
    assert len(found.pool["shop"].backend) == case.backends
    names = [profile.name for profile in found.profiles_for("shop")]
    if case.profiles == "none":
        assert names == []
    elif case.place == "nowhere":
        assert "shop" not in names
        assert len(names) > 5
    else:
        assert names[0] == "shop"
        assert (len(names) > 5) == (case.profiles == "default")


def test_soapgate_binds_on_sight_or_learns_as_the_case_wants(tmp_path: Path) -> None:
    bound = soapgate.text(setting(CASES["place-body"], tmp_path))
    assert 'bind = ["Body/shop:add/shop:SessionId"]\nlearn = []' in bound
    learned = soapgate.text(setting(CASES["learn-echo"], tmp_path))
    assert 'bind = []\nlearn = ["Header/shop:SessionId"]' in learned


def test_pins_beforehand_are_those_that_soapgate_will_look_up(tmp_path: Path) -> None:
    case = CASES["pins-1k"]
    soapgate.bind_beforehand(setting(case, tmp_path))
    store = LmdbStore(tmp_path / "pins")
    keys = Keys(store.secret)
    try:
        for serial in (0, 1, 2, 3, 998, 999):
            key = keys.key("shop", "shop", pinned_id(f"{serial:08x}"))
            call = store.lookup(key)
            with pytest.raises(StopIteration) as found:
                call.send(None)
            assert found.value.value.backend == pinned_backend(serial, 2)
    finally:
        store.close()


def test_haproxy_buffers_the_body_only_where_the_id_stands_in_it(tmp_path: Path) -> None:
    assert "http-buffer-request" in haproxy_text("0.5k", tmp_path)
    cookie = haproxy_text("place-cookie", tmp_path)
    assert "http-buffer-request" not in cookie
    assert "stick on req.cook(SHOPSESSION)" in cookie
    plain = haproxy_text("plain-none", tmp_path)
    assert "stick" not in plain
    assert "http-buffer-request" not in plain


def test_haproxy_learns_from_replies_where_the_case_wants_it(tmp_path: Path) -> None:
    text = haproxy_text("learn-new", tmp_path)
    assert "stick store-response res.body,map_regm" in text
    assert "http-response wait-for-body" in text
    assert "stick on" not in text
    assert "store-response" not in haproxy_text("learn-never", tmp_path)


def test_haproxy_has_a_buffer_for_the_whole_request_or_64_kib(tmp_path: Path) -> None:
    assert f"tune.bufsize {1024**2 + 4096}" in haproxy_text("1m", tmp_path)
    assert "tune.bufsize 16384" in haproxy_text("0.5k", tmp_path)
    haproxy.HAPROXY_64K.command(setting(CASES["1m"], tmp_path))
    assert "tune.bufsize 65536" in (tmp_path / "haproxy.cfg").read_text()


def test_haproxy_has_a_server_for_each_backend_and_room_for_all_pins(tmp_path: Path) -> None:
    assert haproxy_text("backends-200", tmp_path).count("  server b") == 200
    assert "size 2000000 " in haproxy_text("pins-1m", tmp_path)


def test_haproxy_ends_tls_with_the_certificate_of_the_case(tmp_path: Path) -> None:
    assert "bind 127.0.0.1:8080 ssl crt" in haproxy_text("tls-30k", tmp_path)
    assert "ssl" not in haproxy_text("30k", tmp_path)


def test_nginx_runs_the_script_only_where_a_body_has_to_be_read(tmp_path: Path) -> None:
    def text(name: str) -> str:
        return nginx_njs.text(setting(CASES[name], tmp_path), Path("/modules/js.so"))

    assert "location / { js_content bench.pick; }" in text("0.5k")
    assert "hash $session consistent;" in text("0.5k")
    assert "js_content" not in text("place-cookie")
    assert "hash $cookie_SHOPSESSION consistent;" in text("place-cookie")
    assert "hash" not in text("plain-none")
    assert "listen 127.0.0.1:8080 ssl " in text("tls-0.5k")
    assert f"client_body_buffer_size {1024**2 + 1024};" in text("1m")


def test_who_takes_part_in_what() -> None:
    def takers(name: str) -> list[str]:
        return [each.name for each in CONTENDERS.values() if not each.refuses(CASES[name])]

    everybody = list(CONTENDERS)
    assert takers("0.5k") == takers("1m") == everybody
    assert takers("tls-0.5k") == [name for name in everybody if name != "twisted-web"]
    ours = ["haproxy", "haproxy-64k", "soapgate", "soapgate-2"]
    assert takers("pins-1m") == takers("learn-echo") == ours
    assert all(name in takers(case) for case in CASES for name in BESIDE)


def test_only_the_plain_proxy_does_not_stick() -> None:
    assert [each.name for each in CONTENDERS.values() if not each.sticks] == ["twisted-web"]


def test_backend_echoes_or_issues_ids_where_the_case_wants_it(tmp_path: Path) -> None:
    def text(reply: str) -> str:
        backends.command(tmp_path, {"b1": 1, "b2": 2}, 512, reply)  # type: ignore[arg-type]
        return (tmp_path / "nginx.conf").read_text()

    assert "soap:Header" not in text("canned")
    assert ">$http_x_session</shop:SessionId>" in text("echo")
    assert text("issue").count("add_header X-Issued $request_id;") == 2
    assert "add_header X-Backend b2;" in text("issue")
