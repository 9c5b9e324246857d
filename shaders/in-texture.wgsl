// Where the words of a matrix are: in a texture, four a texel. Of a buffer a software driver loads every word of every lane by itself, and
// looks each time whether the lane is active and the word inside; of a texture it loads a lane's four words at once.
override LINE: u32; // texels of a line
@group(0) @binding(1) var weights: texture_storage_2d<rgba32uint, read>;

fn words(i: u32) -> vec4u { return textureLoad(weights, vec2u(i % LINE, i / LINE)); }
