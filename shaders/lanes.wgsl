// How many threads, neighbours of this one, load together what all of them need: none here, see lanes-subgroups.wgsl.
const LANES = 1u;

fn lane() -> u32 { return 0u; }
fn from_lane(value: vec4f, lane: u32) -> vec4f { return value; }
