"""What every request passes: host, token, size; and the headers of every response."""

import pytest

from headstart.serve.limits import Limits

TOKEN = "0123456789abcdef"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:8000", "[::1]", "[::1]:8000"])
def test_without_a_token_pages_of_this_machine_are_answered(shared, host):
    assert shared.client.get("/health/ready", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example", "1.2.3.4", ""])
def test_without_a_token_other_names_are_refused(shared, host):
    answer = shared.client.post("/predict", json={"inputs": ["a"]}, headers={"host": host})
    assert answer.status_code == 421
    assert answer.json()["error"].startswith("without a token, this server answers only requests for localhost,")


def test_a_token_is_needed_for_all_but_health(own):
    running = own(token=TOKEN)
    sentence = "send the server's token in the header 'Authorization: Bearer TOKEN'."
    for given in (
        {},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": "é"},
    ):
        for path in ("/predict", "/metrics", "/openapi.json", "/nothing"):
            headers = {name: value.encode() for name, value in given.items()}
            answer = running.client.request("POST" if path == "/predict" else "GET", path, headers=headers)
            assert (answer.status_code, answer.json()["error"]) == (401, sentence)
            assert answer.headers["www-authenticate"] == "Bearer"
    right = {"authorization": f"bearer {TOKEN}", "host": "model.example"}
    assert running.predict("even", headers=right).status_code == 200
    assert running.client.get("/health/ready", headers={"host": "model.example"}).status_code == 200


def test_every_response_has_headers_that_protect_a_page(shared):
    for path in ("/health/ready", "/nothing", "/predict", "/metrics"):
        headers = shared.client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def parts(total, size=1000):
    """A body of unknown length."""
    for _ in range(total // size):
        yield b" " * size


def test_a_large_body_is_refused_with_and_without_a_length(own):
    running = own(limits=Limits(body_bytes=5000))
    kind = {"content-type": "application/json"}
    for body in (b" " * 5001, parts(1_000_000)):
        answer = running.client.post("/predict", content=body, headers=kind)
        assert answer.status_code == 413
        assert answer.json()["error"] == "the body is larger than 5000 bytes; send fewer or shorter inputs."
    assert running.client.post("/predict", content=b" " * 4000 + b'{"inputs": ["a"]}', headers=kind).status_code == 200


def test_requests_are_counted_without_paths_that_clients_make_up(shared):
    shared.predict("a")
    for number in range(3):
        shared.client.get(f"/nothing/{number}")
    text = shared.client.get("/metrics").text
    assert 'headstart_requests_total{path="other",status="404"}' in text
    assert "/nothing" not in text
    assert "headstart_batch_inputs_bucket" in text
    assert "headstart_waiting_inputs 0.0" in text
