import pytest
import torch
import yaml

from trainer_core.errors import ExitCode, UserError
from trainer_core.models.family import family_named


@pytest.fixture
def ids(tiny_models):
    return lambda kind: torch.tensor(tiny_models[kind].family.tokenize(["a photo of shs dog", "dog"]))


@pytest.mark.parametrize("kind", ["sd1", "sd2-v"])
def test_the_familys_own_layer_is_what_diffusers_uses(tiny_models, ids, kind):
    model = tiny_models[kind]
    hidden = model.family.encode(model.text_encoder, ids(kind))
    assert hidden.shape == (2, 77, 32)
    assert torch.equal(hidden, model.text_encoder(ids(kind))[0])
    assert torch.equal(hidden, model.family.encode(model.text_encoder, ids(kind), model.family.clip_skip))


@pytest.mark.parametrize(
    ("kind", "clip_skip", "layers"), [("sd1", 1, 2), ("sd1", 2, 1), ("sd2-v", 2, 2), ("sd2-v", 3, 1)]
)
def test_clip_skip_runs_fewer_layers_and_the_final_norm(tiny_models, ids, kind, clip_skip, layers):
    """Against the encoder's own parts, layer by layer, with the causal mask written out."""
    model = tiny_models[kind]
    text, wanted = model.text_encoder, ids(kind)
    with torch.no_grad():
        hidden = text.embeddings(input_ids=wanted)
        mask = torch.full((77, 77), -torch.inf).triu(1)[None, None]
        for layer in text.encoder.layers[:layers]:
            out = layer(hidden, mask)
            hidden = out[0] if isinstance(out, tuple) else out
        hidden = text.final_layer_norm(hidden)
        found = model.family.encode(text, wanted, clip_skip)
    torch.testing.assert_close(found, hidden, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("kind", "clip_skip", "words"), [("sd1", 3, "use 1 to 2"), ("sd2-v", 1, "use 2 to 3")])
def test_an_impossible_clip_skip_is_refused(tiny_models, ids, kind, clip_skip, words):
    model = tiny_models[kind]
    with pytest.raises(UserError, match=words) as caught:
        model.family.encode(model.text_encoder, ids(kind), clip_skip)
    assert caught.value.code == ExitCode.CONFIG


def test_gradients_reach_the_used_layers_only(tiny_models, ids):
    model = tiny_models["sd1"]
    model.text_encoder.zero_grad()
    model.family.encode(model.text_encoder, ids("sd1"), 2).sum().backward()
    first, last = model.text_encoder.encoder.layers
    assert first.mlp.fc1.weight.grad is not None
    assert last.mlp.fc1.weight.grad is None
    model.text_encoder.zero_grad()


def test_padding_and_names():
    sd1, sd2 = family_named("sd1"), family_named("sd2")
    assert sd1.tokenize(["dog"])[0][:4] == [49406, 1929, 49407, 49407]
    assert sd2.tokenize(["dog"])[0][:4] == [49406, 1929, 49407, 0]
    assert sd1.architecture("epsilon") == "stable-diffusion-v1"
    assert sd2.architecture("epsilon") == "stable-diffusion-v2-512"
    assert (sd1.resolution("epsilon"), sd2.resolution("epsilon"), sd2.resolution("v")) == (512, 512, 768)
    assert sd1.single_file_yaml("v") is None


def test_the_yaml_is_yaml():
    texts = [family_named("sd2").single_file_yaml(prediction) for prediction in ("epsilon", "v")]
    base, v = (yaml.safe_load(text)["model"]["params"] for text in texts)
    assert v == {"parameterization": "v", **base}
    assert base["unet_config"]["params"]["context_dim"] == 1024
    assert base["unet_config"]["params"]["use_linear_in_transformer"] is True
    assert base["scale_factor"] == 0.18215
    assert (base["linear_start"], base["linear_end"], base["timesteps"]) == (0.00085, 0.012, 1000)
    assert base["cond_stage_config"]["params"]["layer"] == "penultimate"
