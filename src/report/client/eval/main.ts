/** The script of an evaluation page. */
import type { EvalData } from '../../eval-data.ts';
import { pageData } from '../dom.ts';
import { showCharts } from './charts.ts';
import { showComparisons } from './comparisons.ts';
import { showHead } from './head.ts';
import { ItemList } from './items.ts';
import { showOptions } from './sampler-options.ts';
import { showSamplers } from './sampler-table.ts';
import { Samplers } from './samplers.ts';

const data = pageData<EvalData>();
const { summary } = data;
const samplers = new Samplers(summary.samplers);
showHead(data);
showSamplers(summary.run, samplers);
const items = new ItemList(data, samplers);
showComparisons(summary, samplers, (right, wrong) => items.show(right, wrong));
showOptions(samplers);
showCharts(summary, samplers);
