import assert from 'node:assert/strict';
import { test } from 'node:test';
import { thisEnvironment } from './environment.ts';
import { fromJson, type Report, summarise, toJson } from './report.ts';
import { formatFigure, reportAsMarkdown, reportAsText } from './report-table.ts';

const ROOT = `${import.meta.dirname}/..`;

const REPORT: Report = {
  benchmark: 'boot',
  environment: thisEnvironment(ROOT, { QEMU: '7.2' }),
  notes: ['With a guest.'],
  measurements: [
    {
      name: 'start to end',
      unit: 'ms',
      references: ['QEMU'],
      samples: new Map([
        ['Vireo', [90, 110, 100]],
        ['QEMU', [180, 200, 220]],
      ]),
    },
    {
      name: 'an exit',
      unit: 'µs',
      references: ['C'],
      samples: new Map([
        ['Vireo', [2]],
        ['C', [1.5]],
      ]),
    },
  ],
};

test('a subject is compared with the references, and these with none', () => {
  const [vireo, qemu] = summarise(REPORT.measurements[0]!);
  assert.equal(vireo?.median, 100);
  assert.deepEqual(vireo?.comparisons, [
    {
      reference: 'QEMU',
      difference: -100,
      ofMedians: 0.5,
      perPair: { median: 0.5, min: 100 / 220, max: 0.55 },
    },
  ]);
  assert.deepEqual(qemu?.comparisons, []);
});

test('a report survives its way out of the lab', () => {
  assert.deepEqual(fromJson(JSON.parse(JSON.stringify(toJson(REPORT)))), REPORT);
});

test('tables have the figures, their ranges and ratios, and what they were taken on', () => {
  const text = reportAsText(REPORT);
  assert.match(text, /Vireo +100 ms +90 – 110 +3 +0\.50 \(0\.45 – 0\.55\)$/m);
  assert.match(text, /Vireo +2\.00 µs .* \+0\.50 µs {2}1\.33 \(1\.33 – 1\.33\)$/m);
  assert.match(text, /^On \d+ × .*Linux/m);
  assert.match(text, /QEMU 7\.2/);
  assert.match(
    reportAsMarkdown(REPORT),
    /^\| Vireo \| 100 ms \| 90 – 110 \| 3 \| 0\.50 \(0\.45 – 0\.55\) \| {2}\|$/m,
  );
});

test('the lab says that it is one, and how busy its host was', () => {
  const { environment } = REPORT;
  const inLab = {
    ...REPORT,
    environment: { ...environment, labHost: { ...environment.machine, load: 1.25 } },
  };
  assert.match(reportAsText(inLab), /^In the KVM lab: /);
  assert.match(reportAsText(inLab), /^The lab's host: .*load 1\.3$/m);
});

test('what could not be measured is told of, also after the way out of the lab', () => {
  const failed = { ...REPORT, failures: ['Failed: lz: it computed 5'] };
  assert.match(
    reportAsText(fromJson(JSON.parse(JSON.stringify(toJson(failed))))),
    /^Failed: lz: it computed 5$/m,
  );
});

test('figures have as many decimals as tell something', () => {
  assert.deepEqual(
    [1234.56, 99.94, 9.994, 0.123, 0].map((it) => formatFigure(it)),
    ['1235', '99.9', '9.99', '0.12', '0.00'],
  );
});
