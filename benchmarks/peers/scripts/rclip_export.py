"""Writes what rclip would download: a random ViT-B/32 in ONNX at the 256 pixels of its own model.

Runs in the environment that has torch and onnxscript; the argument is the folder that rclip is told by RCLIP_DATADIR.
The text tower and the vocabulary are empty files, for nothing opens them while pictures are indexed.
"""

import sys
from pathlib import Path

import torch
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection


class Visual(torch.nn.Module):
    """Normalised pixels of (n, 3, 256, 256) to embeddings of (n, 512)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        # datacomp's ViT-B/32 has the plain GELU.
        config = CLIPVisionConfig(image_size=256, projection_dim=512, hidden_act="gelu")
        self.model = CLIPVisionModelWithProjection(config).eval()

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        embeddings: torch.Tensor = self.model(pixel_values=input).image_embeds
        return embeddings


data = Path(sys.argv[1])
folder = data / "ViT-B-32-256-datacomp_s34b_b86k"
folder.mkdir(parents=True, exist_ok=True)
torch.onnx.export(
    Visual().eval(),
    (torch.randn(2, 3, 256, 256),),
    folder / "visual.onnx",
    input_names=["input"],
    output_names=["output"],
    dynamic_shapes={"input": {0: torch.export.Dim("batch")}},
    external_data=False,
)
(folder / "textual.onnx").touch()
(data / "tokenizer").mkdir(exist_ok=True)
(data / "tokenizer" / "bpe_simple_vocab_16e6.txt.gz").touch()
