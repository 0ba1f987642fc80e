"""No template takes the machine: ranges, filters and what they make are bounded, whoever wrote them."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from messaging.mail.templates import TemplateFailed, fill

LONG = "a" * 1_000
BOMBS = {
    "a joined range": "{{ (1..900000000) | join: '' | size }}",
    "a turned range": "{% assign a = (1..30000000) | reverse %}{{ a | size }}",
    "a range that is searched": "{% if (1..900000000) contains 'x' %}y{% endif %}",
    "a range of a visitor's": "{{ (1..stars) | join: '' }}",
    "a loop over a range": "{% for n in (1..900000000) reversed %}x{% endfor %}",
    "texts in texts": (
        f"{{% assign s = '{LONG}' %}}"
        "{{ s | replace: '', s | replace: '', s | replace: '', s | size }}"
    ),
    "a number times itself": "{% assign n = 9 %}{% for i in (1..60) %}{% assign n = n | times: n %}{% endfor %}{{ n }}",
    "many decimals": "{{ 1.5 | round: 999999999 }}",
    "a wide separator": f"{{% assign s = '{LONG}' %}}{{{{ (1..9999) | join: s | size }}}}",
    "a list that doubles": (
        "{% assign a = 'x' | split: ',' %}"
        "{% for i in (1..40) %}{% assign a = a | concat: a %}{% endfor %}{{ a | size }}"
    ),
    "each with each other": "{% assign a = (1..9999) | uniq %}{{ a | size }}",
    "the dearest at each turn": (
        "{% capture s %}{% for i in (1..900) %}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{% endfor %}"
        "{% endcapture %}{% for i in (1..90) %}{{ s | replace: 'a', 'b' | size }}{% endfor %}"
        "{% for i in (1..90) %}{{ s | replace: 'a', 'b' | size }}{% endfor %}"
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(name):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TemplateFailed):
        fill(BOMBS[name], {"stars": 900_000_000}, html=False)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


@pytest.mark.parametrize(
    ("source", "filled"),
    [
        ("{{ (1..3) | join: '-' }}", "1-2-3"),
        ("{% for n in (1..stars) %}*{% endfor %}", "*****"),
        ("{{ 'a,b,a' | split: ',' | uniq | join: '+' }}", "a+b"),
        ("{{ 19.987 | round: 2 }}", "19.99"),
        ("{{ name | replace: 'n', 'N' | append: '!' }}", "ANN!"),
        ("{{ missing | default: 'there' }}", "there"),
        ("{{ 3 | times: 4 | plus: 1 }}", "13"),
    ],
)
def test_honest_templates_are_filled_as_before(source, filled):
    assert fill(source, {"stars": 5, "name": "Ann"}, html=False).upper() == filled.upper()


def test_what_one_text_spent_is_not_missed_by_the_next():
    source = "{% assign a = (1..3000) | uniq %}{{ a | size }}"
    for _ in range(60):
        assert fill(source, {}, html=False) == "3000"


def test_a_process_of_little_memory_survives_a_bomb():
    """The Email bot composes in its own process: it must not be the one that dies."""
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2_000_000_000,) * 2)\n"
        "from messaging.mail.templates import TemplateFailed, fill\n"
        f"for source in {list(BOMBS.values())!r}:\n"
        "    try:\n"
        "        fill(source, {'stars': 900_000_000}, html=True)\n"
        "    except TemplateFailed:\n"
        "        print('refused')\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    assert said.stdout.split() == ["refused"] * len(BOMBS)
