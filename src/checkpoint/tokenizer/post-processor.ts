import { describe } from '../../base/show.ts';
import { isId, type Part } from './part.ts';

/** The ids of a text with what is put around them. */
export type PostProcessor = (ids: number[]) => number[];

/** @throws CheckpointError naming a component that is not computed as in tokenizers, or that adds an id that is no token */
export function readPostProcessor(part: Part, isToken: (id: number) => boolean): PostProcessor {
  const checked = (from: Part, id: unknown) => {
    if (isId(id) && isToken(id)) return id;
    throw from.refusal(`adds the id ${describe(id)}, which is no token`);
  };
  switch (part.type) {
    case 'ByteLevel':
      return (ids) => ids;
    case 'BertProcessing':
    case 'RobertaProcessing': {
      const [cls, sep] = ['cls', 'sep'].map((key) => checked(part, part.list(key)[1]));
      return (ids) => [cls, ...ids, sep];
    }
    case 'TemplateProcessing':
      return template(part, checked);
    case 'Sequence': {
      const steps = part.parts('processors').map((each) => readPostProcessor(each, isToken));
      return (ids) => steps.reduce((done, step) => step(done), ids);
    }
    default:
      throw part.refusal(`is ${JSON.stringify(part.type)}, a post-processor that is not supported`);
  }
}

function template(part: Part, checked: (from: Part, id: unknown) => number): PostProcessor {
  const specials = part.part('special_tokens');
  // null: the text
  const pieces = part.parts('single').map((piece) => {
    if (!piece.has('SpecialToken')) {
      piece.part('Sequence').choice('id', ['A']);
      return null;
    }
    const special = specials.part(piece.part('SpecialToken').string('id'));
    return special.list('ids').map((id) => checked(special, id));
  });
  return (ids) => pieces.flatMap((piece) => piece ?? ids);
}
