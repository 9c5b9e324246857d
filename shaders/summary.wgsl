// What is kept of a row of logits: the largest ones, each with its id, and sums over all the others. With d = logit − maximum, logits are
// sorted into buckets a quarter wide; the list holds as many whole buckets as have no more than LIST entries together, or, if the first one
// has more, nothing but the largest logit (of the lowest id). It is a function of the row alone.
const LIST = 64u;
const BUCKETS = 64u; // beyond d = −16 nothing is listed
const LOWEST = -1e30;

struct Entry { id: u32, value: f32 }

// Over the logits that are not listed.
struct Sums {
  base: f32,     // Σ e^d
  mean: f32,     // Σ d e^d
  sharp: f32,    // Σ e^(α d)
  tempered: f32, // Σ e^(d / τ)
}

// Of neighbouring logits, counted from their own maximum; summarise.wgsl makes it.
struct Slice {
  maximum: f32,
  top: u32,     // its lowest id
  bad: u32,     // 1: a logit was NaN or infinite
  buckets: u32, // how many are listed
  sums: Sums,
  count: u32,   // of the entries, in ascending order of ids
  entries: array<Entry, LIST>, // with the logits themselves
}

fn bucket(d: f32) -> u32 { return u32(min(-4.0 * d, f32(BUCKETS))); }

fn term(d: f32, row: Row) -> Sums {
  let e = exp(d);
  return Sums(e, d * e, exp(row.alpha * d), exp(row.inverse_temperature * d));
}

fn plus(a: Sums, b: Sums) -> Sums {
  return Sums(a.base + b.base, a.mean + b.mean, a.sharp + b.sharp, a.tempered + b.tempered);
}

// Sums that were taken from a maximum lower by −shift.
fn shifted(s: Sums, shift: f32, row: Row) -> Sums {
  let t = term(shift, row);
  return Sums(t.base * s.base, t.base * (s.mean + shift * s.base), t.sharp * s.sharp, t.tempered * s.tempered);
}

var<workgroup> counts: array<atomic<u32>, BUCKETS>;
var<workgroup> listed: array<u32, THREADS>; // by each thread
var<workgroup> adding: array<Sums, THREADS>;

// The most buckets, up to most, with no more than LIST entries.
fn whole_buckets(most: u32) -> u32 {
  var total = 0u;
  var b = 0u;
  while (b < most) {
    total += atomicLoad(&counts[b]);
    if (total > LIST) { break; }
    b++;
  }
  return b;
}

// How many entries the threads before this one list.
fn listed_before(thread: u32) -> u32 {
  var sum = 0u;
  for (var t = 0u; t < thread; t++) { sum += listed[t]; }
  return sum;
}

// Every thread's sums, added pairwise in a fixed order. Ends with a barrier.
fn total_of(sums: Sums, thread: u32, one: u32) -> Sums {
  adding[thread] = sums;
  for (var n = THREADS / 2u * one; n > 0u; n /= 2u) {
    workgroupBarrier();
    if (thread < n) { adding[thread] = plus(adding[thread], adding[thread + n]); }
  }
  return workgroupUniformLoad(&adding[0]);
}
