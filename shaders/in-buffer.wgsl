// Where the words of a matrix are: in a buffer.
@group(0) @binding(1) var<storage, read> weights: array<vec4u>;

fn words(i: u32) -> vec4u { return weights[i]; }
