// The residual stream h of WIDTH columns. Each row holds [h | g∘h | sums of squares]: g∘h is what the next product takes, see norm.wgsl,
// and there is one sum of squares for each quad of outputs.
fn stream_half() -> u32 { return (sizes.WIDTH + 7u) / 8u * 8u; }
fn stream_squares() -> u32 { return (sizes.WIDTH + 31u) / 32u * 8u; }
fn stream_stride() -> u32 { return 2u * stream_half() + stream_squares(); }
