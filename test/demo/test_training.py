# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The forward that the demo's models are trained with: it computes what the scorers compute.

Its products are in bfloat16, so probabilities differ by a few thousandths.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import AutoModelForImageTextToText

from tools.demo_models.attention import attend, bias_of, causal, full
from tools.demo_models.forward import GradientModel
from tools.demo_models.pool import THINGS, Pool
from tools.demo_models.sequences import PLACEHOLDER, Prompt, run_prompts
from tools.demo_models.trainer import Trainer
from tools.demo_models.trees import TreeModel
from topreward_ros.demo.checkpoint_files import new_model
from topreward_ros.demo.drawing import SceneRenderer
from topreward_ros.demo.model import FOLDER, MERGE, PATCH, SHAPE, SIDE
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.demo.tasks import known_tasks
from topreward_ros.scoring.engine.chat_model import ChatModel
from topreward_ros.scoring.engine.chat_prompt import ChatLayout, EncodedImage, answer_ids
from topreward_ros.scoring.engine.geometry import Geometry
from topreward_ros.scoring.engine.prompt import PromptTokens
from topreward_ros.scoring.engine.vision_tower import Attention, Features
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.checkpoint import load_checkpoint
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.reward_models.large_reward_models.questions import CONTRAST
from topreward_ros.scoring.reward_models.topreward.layout import TOPREWARD, PromptLayout

EPISODE = SceneEpisode(90_000, 'success', known_tasks()[3])
TASKS = [EPISODE.task.say(), known_tasks()[20].say()]


@pytest.fixture(autouse=True)
def not_compiled() -> Iterator[None]:
    with torch.compiler.set_stance('force_eager'):
        yield


def gradient_model(folder: Path) -> GradientModel:
    loaded = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    return GradientModel(loaded.train(), Geometry(PATCH, MERGE))


def frames(count: int) -> tuple[torch.Tensor, list[float]]:
    camera = SceneRenderer(SIDE, SIDE, EPISODE.appearance)
    times = [float(time) for time in EPISODE.times(count)]
    return torch.stack([torch.from_numpy(camera.take(EPISODE.state(t))) for t in times]), times


def masked(mask: torch.Tensor) -> Attention:
    return lambda *inputs: attend(*inputs, bias_of(mask))


TREE = torch.ones(7, 7, dtype=torch.bool).tril()
TREE[5:, 3:5] = False


@pytest.mark.parametrize(
    ('attention', 'mask', 'tokens', 'dtype'),
    [
        (causal, None, 7, torch.bfloat16),
        (causal, None, 230, torch.bfloat16),  # of several chunks
        (masked(TREE), TREE, 7, torch.bfloat16),
        (full, torch.ones(16, 16, dtype=torch.bool), 16, torch.float32),
    ],
)
def test_attention_and_its_gradients(
    attention: Attention, mask: torch.Tensor | None, tokens: int, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    shapes = [(3, 4, tokens, 8), *[(3, 4 if attention is full else 2, tokens, 8)] * 2]
    ours = [torch.randn(shape).to(dtype).requires_grad_() for shape in shapes]
    theirs = [part.detach().float().requires_grad_() for part in ours]
    expected = F.scaled_dot_product_attention(
        *theirs, attn_mask=mask, is_causal=mask is None, enable_gqa=True
    )
    found, weights = attention(*ours), torch.randn_like(expected)
    (found.float() * weights).sum().backward()
    (expected * weights).sum().backward()
    pairs = [(found, expected), *((a.grad, b.grad) for a, b in zip(ours, theirs, strict=True))]
    for one, other in pairs:
        assert one is not None and other is not None
        error = (one.float() - other).norm() / other.norm()
        assert error.item() < 0.02


def test_a_tree_gives_the_scores_of_its_prefixes() -> None:
    """Of full blocks, of an odd frame, and of several questions at each."""
    pictures, times = frames(7)
    model = gradient_model(FOLDER)
    trees = TreeModel(model, PromptLayout(PromptTokens.of(FOLDER), TOPREWARD))
    tails, prefixes = [trees.tail(task, short=False) for task in TASKS], [3, 6, 7]
    tree = trees.tree(times, prefixes, len(TASKS), max(map(len, tails)))
    with torch.no_grad():
        log_probs, _ = trees.forward(tree, pictures[None], [tails * len(prefixes)])
    attempt, expected = load_scorer(LoadOptions(str(FOLDER), 'cpu')).start(TASKS), []
    for number, (picture, time) in enumerate(zip(pictures, times, strict=True), start=1):
        attempt.append(picture.numpy(), time)
        if number in prefixes:
            expected += [np.exp(score.log_prob) for score in attempt.scores()]
    assert max(expected) - min(expected) > 0.5
    assert log_probs[0, :, 0].exp().tolist() == pytest.approx(expected, abs=0.03)


def test_prompts_of_several_lengths_give_the_answers_to_each() -> None:
    pictures, _ = frames(3)
    model, tokens = gradient_model(FOLDER), PromptTokens.of(FOLDER)
    features = model.encode(torch.stack([pictures, pictures], dim=1))
    grid, layout = model.geometry.grid((SIDE, SIDE)), ChatLayout(tokens, model.geometry)
    picture = EncodedImage(Features(PLACEHOLDER, ()), grid)
    prefix, answers = answer_ids(tokens, CONTRAST.answers, CONTRAST.prefix)
    asked = list(zip(TASKS, ([0, 2], [2, 0]), strict=True))
    prompts = [
        Prompt(layout.turn(CONTRAST.ask(task, [picture] * 2), prefix), shown)
        for task, shown in asked
    ]
    lengths = [prompt.tokens for prompt in prompts]
    assert lengths[0] != lengths[1]
    read = torch.arange(2), torch.tensor(lengths) - 1
    with torch.no_grad():
        states = run_prompts(model, prompts, features, read)
        log_probs = model.model.lm_head(states).log_softmax(-1)
    chat = ChatModel(load_checkpoint(LoadOptions(str(FOLDER), 'cpu')))
    for row, (task, shown) in zip(log_probs, asked, strict=True):
        parts = CONTRAST.ask(task, [pictures[k] for k in shown])
        expected = chat.log_probs(parts, CONTRAST.answers, CONTRAST.prefix)
        assert [float(row[ids[0]].exp()) for ids in answers] == pytest.approx(
            np.exp(expected), abs=0.03
        )


def test_things_are_seen_in_both_frames_of_a_pair(tmp_path: Path) -> None:
    """A clip's start is in the first frame of its first pair, so that one counts, too."""
    places = np.full((1, 2, len(THINGS), 2), np.nan)
    places[0, :, 0] = [[0.1, 0.1], [0.9, 0.9]]  # one thing, which moves
    pool = Pool(torch.zeros(1, 2, SIDE, SIDE, 3, dtype=torch.uint8), places, known_tasks()[:1], 1)
    trainer = Trainer(new_model(tmp_path, SHAPE), pool, seed=0, share=1.0)
    moving, episode = trainer.frames(np.zeros((1, 1), int), np.array([[0, 1]])), np.array([0])
    features = trainer.forward.encode(moving)
    losses = [
        trainer.seeing_loss(features, trainer.places[:, list(shown)]).item()
        for shown in ((0, 1), (1, 1), (1, 0))
    ]
    assert len(set(losses)) == len(losses)
    still = trainer.seeing_pictures_loss(features, episode[:, None], np.array([[1]]))
    assert still.item() == pytest.approx(losses[1])
