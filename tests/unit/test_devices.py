"""Hold which devices are told apart, by what browsers and apps say of themselves."""

from __future__ import annotations

import pytest

from agents.rules.devices import device_of

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/120.0 Safari/537.36", "desktop"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14.1; rv:120.0) Gecko/20100101 Firefox/120.0", "desktop"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0", "desktop"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/120.0 Safari/537.36", "desktop"),
        (f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {WEBKIT} Chrome/120.0 Mobile Safari/537.36", "phone"),
        ("Mozilla/5.0 (Android 14; Mobile; rv:120.0) Gecko/120.0 Firefox/120.0", "phone"),
        (f"Mozilla/5.0 (Linux; Android 13; SM-X700) {WEBKIT} Chrome/120.0 Safari/537.36", "tablet"),
        ("Mozilla/5.0 (Android 14; Tablet; rv:120.0) Gecko/120.0 Firefox/120.0", "tablet"),
        ("Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148", "tablet"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) Mobile/15E148 Safari/604.1", "phone"),
        (f"Mozilla/5.0 (Linux; Android 9; KFMAWI) {WEBKIT} Silk/108.4 Safari/537.36", "tablet"),
        ("Mozilla/5.0 (compatible; Somebot/2.1; +https://example.org/bot)", ""),
        ("analytics-python/2.3", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_a_browser_tells_its_device(said: str, kind: str) -> None:
    assert device_of(said, None) == kind


@pytest.mark.parametrize(
    ("device", "kind"),
    [
        ({"type": "ios", "model": "iPhone15,2"}, "phone"),
        ({"type": "ios", "name": "Ann's iPad"}, "tablet"),
        ({"type": "android", "model": "Pixel 8"}, ""),
        ({"type": "tablet"}, "tablet"),
        ({"type": "mobile"}, "phone"),
        ({"type": "desktop"}, "desktop"),
        ({"type": 7, "model": ["x"]}, ""),
        ({}, ""),
    ],
)
def test_an_app_tells_it_by_its_model(device: dict[str, object], kind: str) -> None:
    assert device_of("okhttp/4.9", device) == kind
