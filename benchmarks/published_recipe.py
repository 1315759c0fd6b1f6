# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The published implementation of TOPReward, as a baseline.

Every score runs the whole clip through the Hugging Face processor and model, as the paper's authors
(but for curves of files: `published_curves`) and LeRobot do. LeRobot's own package is measured too
if it is installed (it needs Python 3.12).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from benchmarks.models import FPS
from topreward_ros.scoring.loading.checkpoint import Checkpoint
from topreward_ros.scoring.loading.fingerprint import identity_of
from topreward_ros.scoring.reward_models.topreward.layout import TOPREWARD
from topreward_ros.scoring.score import Episode, Identity, Score, Scorer


class _WholeClips(Scorer):
    """A scorer of one task that caches nothing between scores."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    @property
    def identity(self) -> Identity:
        return identity_of(self._checkpoint, type(self).__name__)

    def start(self, tasks: str | Sequence[str]) -> PublishedEpisode:
        return PublishedEpisode(self, tasks if isinstance(tasks, str) else tasks[0])

    @abstractmethod
    def score(self, frames: list[np.ndarray], task: str) -> Score:
        """Score these frames."""


class PublishedRecipe(_WholeClips):
    """Scores with the unmodified processor and model."""

    mode = 'the whole clip through processor and model for each score'

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Raises ImportError or RuntimeError where the processor's libraries are missing."""
        import torchvision  # noqa: F401 - a clearer error than AutoProcessor's
        from transformers import AutoProcessor

        super().__init__(checkpoint)
        self.model = checkpoint.model
        self.processor = AutoProcessor.from_pretrained(
            checkpoint.folder, trust_remote_code=False, local_files_only=True
        )

    @torch.inference_mode()
    def score(self, frames: list[np.ndarray], task: str) -> Score:
        video = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)
        content = [{'type': 'video', 'video': video, 'fps': FPS}]
        message = {'role': 'user', 'content': content}
        chat = self.processor.apply_chat_template(
            [message], tokenize=False, add_generation_prompt=False
        )
        about = {
            'total_num_frames': len(frames),
            'fps': FPS,
            'frames_indices': list(range(len(frames))),
        }
        inputs = self.processor(
            text=[
                chat.split(self.processor.tokenizer.eos_token)[0]
                + TOPREWARD.ask(task)
                + TOPREWARD.true
            ],
            videos=[video],
            video_metadata=[about],
            do_sample_frames=False,
            return_tensors='pt',
        ).to(self.model.device)
        logits = self.model(**inputs, logits_to_keep=2).logits[0, -2].float()
        log_probs = torch.log_softmax(logits, dim=-1)
        (false,) = self.processor.tokenizer(TOPREWARD.false)['input_ids']
        true = inputs['input_ids'][0, -1]
        return Score(len(frames), float(log_probs[true]), float(log_probs[false]))


class LeRobotPackage(_WholeClips):
    """Scores with LeRobot's own model and encoder, on the loaded weights."""

    mode = 'lerobot.rewards.topreward, for each score'

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Raises ImportError or RuntimeError where LeRobot is not installed."""
        from lerobot.lerobot_types import TransitionKey
        from lerobot.rewards.topreward.configuration_topreward import TOPRewardConfig
        from lerobot.rewards.topreward.modeling_topreward import TOPRewardModel
        from lerobot.rewards.topreward.processor_topreward import TOPRewardEncoderProcessorStep

        super().__init__(checkpoint)
        folder, self._device = str(checkpoint.folder), checkpoint.model.device
        self._keys = TransitionKey
        self.model = TOPRewardModel(TOPRewardConfig(vlm_name=folder, device='cpu'))
        self.model.model = checkpoint.model
        self.encode = TOPRewardEncoderProcessorStep(vlm_name=folder, max_frames=None, fps=FPS)

    @torch.inference_mode()
    def score(self, frames: list[np.ndarray], task: str) -> Score:
        """Score these frames, without log P of False, which LeRobot does not compute."""
        video = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)[None]
        transition = {
            self._keys.OBSERVATION: {self.encode.image_key: video},
            self._keys.COMPLEMENTARY_DATA: {'task': task},
        }
        encoded = self.encode(transition)[self._keys.OBSERVATION]
        batch = {
            key: value.to(self._device) if isinstance(value, torch.Tensor) else value
            for key, value in encoded.items()
        }
        return Score(len(frames), float(self.model.compute_reward(batch)[0]))


class PublishedEpisode(Episode):
    """An episode that stores its frames."""

    def __init__(self, recipe: _WholeClips, task: str) -> None:
        self._recipe = recipe
        self._task = task
        self._images: list[np.ndarray] = []

    @property
    def frames(self) -> int:
        return len(self._images)

    def append(self, frame: np.ndarray, time: float) -> None:
        self._images.append(frame)

    def scores(self) -> tuple[Score, ...]:
        return (self._recipe.score(self._images, self._task),)

    def thin(self) -> None:
        raise NotImplementedError('the published recipe has no bound on the length')

    def keep_last(self, count: int) -> None:
        self._images = self._images[max(0, self.frames - count) :]

    def close(self) -> None:
        self._images = []


def published_recipes(checkpoint: Checkpoint) -> tuple[dict[str, Any], str]:
    """Return the recipes that can be measured here, by name, and why others cannot."""
    recipes, missing = {}, []
    for name, kind in {'published': PublishedRecipe, 'lerobot': LeRobotPackage}.items():
        try:
            recipes[name] = kind(checkpoint)
        except (ImportError, RuntimeError) as error:
            missing.append(f'{name} is not measured ({error})')
    return recipes, '; '.join(missing)
