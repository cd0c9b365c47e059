import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from scored import LONG_LABELS, evaluation, history, one_hot, predictions, random_scores

from seacall.learn.plots import plot_confusion
from seacall.learn.report import write_report

VOID = {"meta", "link", "img", "wbr", "br", "hr", "input"}


class Page(HTMLParser):
    """Checks nesting, collects addresses and visible text."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.addresses, self.texts = [], [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        names = ("src", "href", "action", "data", "poster", "srcset")
        self.addresses += [value for name, value in attrs if name in names]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def page(tmp_path, e=None, **changes):
    values = {
        "title": "Student with attention",
        "settings": {"threshold": 0.7, "front_end": {"profile": {"name": "wide-48k"}}},
        "plots": {},
        "model_info": {"name": "student", "parameters": 41236},
    }
    write_report(e or evaluation(), path=tmp_path / "r.html", **(values | changes))
    return Page((tmp_path / "r.html").read_text(encoding="utf-8"))


def test_the_first_lines_say_what_was_measured(tmp_path):
    text = page(tmp_path).text
    assert "Macro-F1 0.72 (95% interval" in text
    assert "on 6 recordings from 3 deployments , 3 classes; split “test”" in text
    assert "on deployments that were never trained on" in text


def test_the_model_stands_beside_all_baselines(tmp_path):
    text = page(tmp_path).text
    head = "Figure Model Deployment look-up Sample rate alone Majority class"
    assert head in text
    assert "With a threshold of 0.7" in text


def test_a_leaky_split_is_said_in_words(tmp_path):
    text = page(tmp_path, evaluation(train_deployments=("north",))).text
    assert "Beware. 1 of the 3 measured deployments were also trained on" in text
    assert "whose deployments were partly trained on" in text


def test_a_look_up_that_beats_the_model_is_said_in_words(tmp_path):
    p = predictions(scores=one_hot([2, 2, 2, 2, 2, 0], 3))
    truth = {"deployment look-up": one_hot([0, 0, 0, 1, 1, 2], 3)}
    text = page(tmp_path, evaluation(predicted=p, baselines=truth)).text
    assert "Beware. The baseline “deployment look-up” hears nothing" in text


def test_the_page_needs_no_network_and_no_script(tmp_path):
    e = evaluation()
    plot_confusion(e.confusion, e.labels, tmp_path / "c.png")
    plots = {"confusion": tmp_path / "c.png"}
    found = page(tmp_path, e, plots=plots, history=history())
    assert "script" not in found.tags
    assert all(a.startswith(("data:", "#")) for a in found.addresses)
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    html = re.sub(r"data:image/png;base64,[\w+/=]+", "", html)
    assert not re.search(r"https?:|url\(|@import|//[a-z]", html)
    assert "default-src 'none'" in html


def test_each_link_has_its_target(tmp_path):
    for kept in ({}, {"confusion": tmp_path / "c.png"}):
        e = evaluation()
        plot_confusion(e.confusion, e.labels, tmp_path / "c.png")
        found = page(tmp_path, e, plots=kept, history=history())
        html = (tmp_path / "r.html").read_text(encoding="utf-8")
        targets = re.findall(r'id="([^"]+)"', html)
        links = [a[1:] for a in found.addresses if a.startswith("#")]
        assert set(links) <= set(targets)
        assert len(targets) == len(set(targets))


def test_plots_are_inside_the_page(tmp_path):
    e = evaluation()
    names = ("confusion", "per_class", "reliability", "curves")
    plot_confusion(e.confusion, e.labels, tmp_path / "c.png")
    found = page(tmp_path, e, plots=dict.fromkeys(names, tmp_path / "c.png"))
    images = [a for a in found.addresses if a.startswith("data:image/png;base64,")]
    assert len(images) == 4
    data = base64.b64decode(images[0].split(",")[1])
    assert data == (tmp_path / "c.png").read_bytes()


def test_whatever_came_from_the_user_is_escaped(tmp_path):
    evil = "<script>alert(1)</script>"
    attribute = '" onload="x'
    e = evaluation(
        predicted=predictions(
            labels=(evil, attribute, "unknown"),
            file_names=(evil,) * 6,
            deployments=(evil, evil, "a", "a", attribute, attribute),
        ),
        train_deployments=(evil,),
    )
    found = page(
        tmp_path,
        e,
        title=evil,
        settings={evil: evil, "a.b": {evil: [evil]}},
        model_info={"name": evil},
        history=[{"epoch": evil}],
    )
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<script" not in html
    assert attribute not in html
    assert "script" not in found.tags
    assert evil in found.text


def test_a_file_name_that_is_not_utf8_does_not_stop_the_report(tmp_path):
    p = predictions(file_names=("\udcff.wav",) * 6)
    assert "?.wav" in page(tmp_path, evaluation(predicted=p)).text


def test_only_the_thirty_most_confident_mistakes_are_shown(tmp_path):
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 20, 300)
    p = predictions(
        labels=LONG_LABELS,
        targets=targets,
        scores=random_scores(rng, targets, 20, skill=0.5),
        file_names=tuple(f"file{i}.wav" for i in range(300)),
        deployments=tuple(f"d{i % 20}" for i in range(300)),
        sample_rates=np.full(300, 48000),
    )
    e = evaluation(predicted=p)
    text = page(tmp_path, e).text
    assert len(re.findall(r"file\d+\.wav", text)) == 30
    assert e.mistakes[0].file_name in text
    assert f"{len(e.mistakes)} recordings were misclassified" in text


def test_a_model_without_a_mistake_has_a_report(tmp_path):
    p = predictions(scores=one_hot([0, 0, 0, 1, 1, 2], 3))
    assert (
        "every recording was answered" in page(tmp_path, evaluation(predicted=p)).text
    )


def test_one_deployment_is_reported_without_intervals(tmp_path):
    e = evaluation(predicted=predictions(deployments=("a",) * 6))
    text = page(tmp_path, e).text
    assert "from 1 deployment ," in text
    assert "No intervals" in text


def test_settings_and_versions_are_listed(tmp_path):
    text = page(tmp_path).text
    assert "front_end. profile. name wide-48k" in text
    assert "parameters 41236" in text
    assert f"numpy {np.__version__}" in text


@pytest.mark.parametrize(
    ("threshold", "words"),
    [
        (0.7, "threshold of 0.7"),
        ([0.5, 0.9, 0.6], "threshold of 0.50 to 0.90, by class"),
    ],
)
def test_the_threshold_is_named(tmp_path, threshold, words):
    assert words in page(tmp_path, evaluation(threshold=threshold)).text


def test_negative_numbers_have_a_minus_sign_and_missing_ones_a_dash(tmp_path):
    p = predictions(scores=one_hot([1, 1, 1, 0, 0, 1], 3))
    text = page(tmp_path, evaluation(predicted=p)).text
    assert "\u2212" in text
    assert "\u2013" in text
    assert not re.search(r"\bnan\b", text)
