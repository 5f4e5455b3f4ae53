"""Names of OneTrainer's settings that share a fate, and the older names of others."""

OTHER_PARTS = (
    "prior transformer unconditional_transformer text_encoder_2 text_encoder_3 text_encoder_4"
    " effnet_encoder decoder decoder_text_encoder decoder_vqgan"
)
"""Parts of other models than SD 1.x and 2.x, each a table."""

OTHER_MODELS = (
    "text_encoder_2_layer_skip text_encoder_3_layer_skip text_encoder_4_layer_skip"
    " text_encoder_sequence_length text_encoder_2_sequence_length timestep_shift dynamic_timestep_shifting"
    " cep_gamma frames vb_loss_strength sample_video_format sample_audio_format train_prior"
    " train_prior_epochs prior_learning_rate prior_weight_dtype prior_model_name train_text_encoder_2"
    " train_text_encoder_2_epochs text_encoder_2_learning_rate text_encoder_2_weight_dtype"
    " effnet_encoder_model_name effnet_encoder_weight_dtype decoder_model_name decoder_weight_dtype"
    " decoder_text_encoder_weight_dtype decoder_vqgan_weight_dtype custom_conditioning_image"
    " extra_model_name"
)
DEVICES = (
    "multi_gpu device_indexes gradient_reduce_precision fused_gradient_reduce async_gradient_reduce"
    " async_gradient_reduce_buffer train_device temp_device"
)
KERNELS = (
    "async_offloading compile prefetch_next_batch fallback_train_dtype enable_autocast_cache"
    " enable_async_offloading enable_activation_offloading layer_offload_fraction latent_caching_epochs"
    " text_encoder.offload_fraction text_encoder.activation_offloading unet.offload_fraction"
    " unet.activation_offloading vae.offload_fraction vae.activation_offloading vae.gradient_checkpointing"
)
MASKS = (
    "masked_training unmasked_probability unmasked_weight normalize_masked_area_loss"
    " masked_prior_preservation_weight circular_mask_generation random_rotate_and_crop"
)
EMBEDDINGS = (
    "embedding embeddings additional_embeddings embedding_learning_rate preserve_embedding_norm"
    " embedding_weight_dtype bundle_additional_embeddings embedding_model_names token_count"
    " initial_embedding_text text_encoder.train_embedding unet.train_embedding vae.train_embedding"
)
REWARD = (
    "align_prop align_prop_probability align_prop_loss align_prop_weight align_prop_steps"
    " align_prop_truncate_steps align_prop_cfg_scale"
)
OTHER_NETWORKS = (
    "lora_decompose lora_decompose_norm_epsilon lora_decompose_output_axis oft_block_size oft_block_share"
    " oft_coft coft_eps dora_oft oft_scaled oft_clipped_norm oft_cans lokr_dim lokr_decompose_both"
    " lokr_decompose_factor lokr_use_tucker lokr_weight_decompose lokr_dora_on_output lokr_full_matrix"
    " lokr_vec_trick"
)
OF_LORA = (
    "peft_type lora_model_name lora_rank lora_alpha lora_weight_dtype dropout_probability"
    " bundle_additional_embeddings"
)
"""Settings that count only where a LoRA is trained, beside those of other networks."""
OF_OPTIMIZERS = (
    "adam_w_mode alpha amsgrad beta3 bias_correction block_wise capturable centered clip_threshold d0"
    " d_coef dampening decay_rate decouple differentiable eps2 foreach fsdp_in_use growth_rate"
    " initial_accumulator_value initial_accumulator log_every lr_decay max_unorm maximize min_8bit_size"
    " quant_block_size momentum nesterov no_prox optim_bits percentile_clipping r relative_step"
    " safeguard_warmup scale_parameter use_bias_correction use_triton warmup_init weight_lr_power"
    " decoupled_decay fixed_decay weight_decouple rectify degenerated_to_sgd k xi n_sma_threshold"
    " ams_bound adanorm adam_debias slice_p cautious weight_decay_by_lr prodigy_steps use_speed"
    " split_groups split_groups_mean factored factored_fp32 use_stableadamw use_cautious use_grams"
    " use_adopt d_limiter use_schedulefree use_orthograd nnmf_factor orthogonal_gradient use_atan2"
    " beta1_warmup min_beta1 kourkoutas_beta schedulefree_c ns_steps MuonWithAuxAdam muon_hidden_layers"
    " muon_adam_regex muon_adam_lr muon_te1_adam_lr muon_te2_adam_lr muon_adam_config rms_rescaling"
    " normuon_variant beta2_normuon low_rank_ortho ortho_rank accelerated_ns cautious_wd approx_mars"
    " compile spectral_normalization stochastic_sign centered_wd centered_wd_mode factored_2nd fisher_wd"
    " state_precision orthogonal_sinkhorn sinkhorn_iterations normed_momentum nesterov_coef snr_cond"
    " geometric_wd"
)
"""Arguments of optimizers for which there is no setting."""

RENAMED = {
    "train_unet": "unet.train",
    "unet_learning_rate": "unet.learning_rate",
    "unet_weight_dtype": "unet.weight_dtype",
    "train_text_encoder": "text_encoder.train",
    "train_text_encoder_epochs": "text_encoder.stop_training_after",
    "text_encoder_learning_rate": "text_encoder.learning_rate",
    "text_encoder_weight_dtype": "text_encoder.weight_dtype",
    "vae_model_name": "vae.model_name",
    "vae_weight_dtype": "vae.weight_dtype",
    "weight_decay": "optimizer.weight_decay",
    "save_after": "save_every",
    "save_after_unit": "save_every_unit",
    "lora_layers": "layer_filter",
    "lora_layer_preset": "layer_filter_preset",
    "lora_layers_regex": "layer_filter_regex",
    "dataloader_threads": "caching_threads",
    "latent_caching": "image_caching",
}
"""What its own migrations (TrainConfig, versions 0 to 12) rename."""
