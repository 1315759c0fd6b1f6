# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Models without a streaming path, run with their own processor as in the paper's code.

Written for the Qwen2-VL and Qwen2.5-VL families; needs qwen_vl_utils and torchvision.
"""

from __future__ import annotations

from typing import Any

import torch

from topreward_ros.errors import ModelError, TaskError, one_line

from ..engine.full_precision import full_precision
from ..engine.geometry import geometry_of
from ..engine.video import Video
from ..loading.checkpoint import Checkpoint, load_checkpoint
from ..loading.options import LoadOptions
from ..questions import Question
from ..reward_models.topreward.layout import TOPREWARD
from ..reward_models.topreward.recompute import PrefixScorer
from ..score import Score, Scorer


def make_scorer(options: LoadOptions) -> Scorer:
    """Load a model that scores each prefix from scratch; ModelError if streaming is requested."""
    if options.scorer == 'streaming':
        raise ModelError(
            f'{options.model} is no Qwen3-VL, which scorer "streaming" needs. Set scorer to '
            '"recompute" for other families'
        )
    checkpoint = load_checkpoint(options)
    layout = f'the processor of {checkpoint.family}'
    return PrefixScorer(checkpoint, ProcessorModel(checkpoint), layout)


class ProcessorModel:
    """Scores videos with a prompt from the chat template, cut before the end of the turn."""

    def __init__(self, checkpoint: Checkpoint, question: Question = TOPREWARD) -> None:
        """Raises ModelError where a library is missing or the processor cannot be loaded."""
        try:
            from qwen_vl_utils import process_vision_info
        except (
            ImportError,
            RuntimeError,
        ) as error:  # RuntimeError: torchvision built for another torch
            raise ModelError(
                f'{checkpoint.name} is a {checkpoint.family} and needs a processor ({error}): '
                "pip install 'topreward_ros[processor]'"
            ) from error
        self.geometry = geometry_of(checkpoint)
        self._read = process_vision_info
        self._model = checkpoint.model
        self._question = question
        self._processor = _load_processor(checkpoint)
        tokenizer = self._processor.tokenizer
        answers = [tokenizer(word)['input_ids'] for word in (question.true, question.false)]
        if any(len(ids) != 1 for ids in answers):
            raise ModelError(
                f'{checkpoint.name} splits an answer into several tokens; expected one each'
            )
        self._answers = [ids[0] for ids in answers]

    def score(self, video: Video, task: str) -> Score:
        self._check_no_special_tokens(task)
        inputs = self._inputs(video, task).to(self._model.device)
        with full_precision():
            output = self._model(**inputs, use_cache=False, logits_to_keep=1)
        logits = output.logits[0, -1].float()
        true, false = torch.log_softmax(logits, dim=-1)[self._answers].tolist()
        return Score(video.frames, true, false)

    def _inputs(self, video: Video, task: str) -> Any:
        from PIL import Image

        images = [Image.fromarray(image.numpy()) for image in video.images()]
        # The library requires two frames; its families double an unpaired last frame.
        images += images[-1:] * (len(images) % 2)
        clip = {'type': 'video', 'video': images, 'sample_fps': video.fps()}
        messages = [{'role': 'user', 'content': [clip]}]
        chat = self._processor.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=False
        )
        text = chat.split(self._processor.tokenizer.eos_token)[0] + self._question.ask(task)
        _, videos = self._read(messages)
        return self._processor(
            text=[text], videos=videos, fps=video.fps(), do_sample_frames=False, return_tensors='pt'
        )

    def _check_no_special_tokens(self, task: str) -> None:
        """Raise TaskError for special tokens, as the whole prompt is tokenized as one text."""
        for token in self._processor.tokenizer.get_added_vocab():
            if token in task:
                raise TaskError(
                    f'the task contains {token!r}, which this model reads as a special token: '
                    'remove it'
                )


def _load_processor(checkpoint: Checkpoint) -> Any:
    from transformers import AutoProcessor

    try:
        return AutoProcessor.from_pretrained(
            checkpoint.folder, trust_remote_code=False, local_files_only=True
        )
    except Exception as error:  # transformers raises nearly everything
        raise ModelError(
            f'the processor of {checkpoint.name} cannot be loaded: {one_line(error)}'
        ) from error
