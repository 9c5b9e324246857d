// Reads a Dockerfile and a .dockerignore, as much of their languages as ours are written in: what else there is, is refused.

const INSTRUCTIONS = ['FROM', 'RUN', 'COPY', 'WORKDIR', 'ENV', 'USER', 'ENTRYPOINT', 'CMD'];

/** Its instructions in order, with what follows each of them on the same line or, after a backslash, on further ones. */
export function parseDockerfile(text) {
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim());
  return lines.map((line) => {
    const [, instruction, rest] = /^([A-Z]+) +(\S.*)$/.exec(line) ?? [];
    if (!INSTRUCTIONS.includes(instruction)) throw new Error(`not an instruction known here: ${line}`);
    return { instruction, ...READERS[instruction]?.(rest), text: rest };
  });
}

const READERS = {
  FROM(text) {
    const [, image, name] = matching(/^(\S+?:\S+)(?: AS (\S+))?$/, text);
    return { image, name };
  },
  COPY(text) {
    const [, from, paths] = matching(/^(?:--from=(\S+) )?((?:\S+ )+\S+)$/, text);
    const sources = paths.split(' ');
    const target = sources.pop();
    return { from, sources, target };
  },
  ENV: (text) => ({
    variables: Object.fromEntries(text.split(' ').map((each) => matching(/^(\w+)=(\S+)$/, each).slice(1))),
  }),
  ENTRYPOINT: (text) => ({ words: JSON.parse(text) }),
  CMD: (text) => ({ words: JSON.parse(text) }),
};

function matching(pattern, text) {
  const match = pattern.exec(text);
  if (!match) throw new Error(`not understood: ${text}`);
  return match;
}

/** Whether a path, relative to the root, is left out of the context. A pattern that is a folder stands for all that is in it. */
export function dockerIgnore(text) {
  const patterns = text
    .split('\n')
    .filter((line) => line && !line.startsWith('#'))
    .map((line) => {
      const negated = line.startsWith('!');
      const source = line
        .slice(negated ? 1 : 0)
        .replace(/[.+^$()]/g, '\\$&')
        .replace(/\*\*\/|\*/g, (star) => (star === '*' ? '[^/]*' : '(?:.*/)?'));
      return { negated, pattern: new RegExp(`^${source}(?:/|$)`) };
    });
  return (path) => patterns.findLast(({ pattern }) => pattern.test(path))?.negated === false;
}
