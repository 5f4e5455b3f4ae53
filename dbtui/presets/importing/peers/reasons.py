"""Reasons that options of several trainers share."""

from dbtui.presets.importing.rules import Left

PLACE = "it belongs to one machine"
WORDS = "it belongs to one subject"
ONE_DEVICE = Left("`dbtui run --gpus` says on how many GPUs; train.batch_size counts over all of them")
SECRET = Left("a secret stands in no file that may be shared: it is taken from the environment", is_secret=True)
ITSELF = Left("it is done by itself here")
KERNELS = Left("nothing here depends on it: it changes how the other trainer computes, not what is learned")
STATE = Left("the complete state is saved beside every save and after every stop; `dbtui resume` goes on from it")
RESUME = Left("to go on with a training is `dbtui resume`")
SAMPLER = Left("previews are drawn with DPM-Solver++ here, whatever is trained")
PICTURES = Left("`dbtui scan` and `dbtui plan` show what will be trained, before it is")
OTHER_DATA = Left("the pictures are in that file; import it too")
OTHER_MODEL = Left("it is for models of another kind than SD 1.x and 2.x")
METADATA = Left("the model's metadata is written from an allow-list; the preset's own words are in [preset]")
MASKS = Left("masks are not trained with here; transparent parts are laid on white")
WEIGHTED = Left("weights such as (word:1.2) in captions teach conditioning that plain prompts never produce")
UPLOAD = Left("an upload is one repository here, hub.repo_id; private unless hub.private = false")
VALIDATION = Left("the loss is measured at each save here; dataset.held_out keeps pictures out for it")
CODE = "a configuration names no code to run"
