/** A vCPU's registers for a person to read, in the style of the field's monitors. */
import {
  GENERAL_REGISTER_NAMES,
  type GeneralRegisters,
  SEGMENT_NAMES,
  type SpecialRegisters,
} from '@vireo/hypervisor/vcpu-state';

export function formatRegisters(general: GeneralRegisters, special: SpecialRegisters): string {
  const lines: string[] = [];
  const names = GENERAL_REGISTER_NAMES;
  for (let i = 0; i < names.length; i += 4) {
    lines.push(
      names
        .slice(i, i + 4)
        .map((name) => `${name.padEnd(3)} ${hex(general[name])}`)
        .join('  '),
    );
  }
  lines.push(`rip ${hex(general.rip)}  rflags ${general.rflags.toString(16).padStart(8, '0')}`);
  for (const name of SEGMENT_NAMES) {
    const { selector, base, limit, type, dpl } = special[name];
    const short = (value: number, width: number) => value.toString(16).padStart(width, '0');
    lines.push(
      `${name.padEnd(3)} ${short(selector, 4)}  base ${hex(base)}  limit ${short(limit, 8)}  type ${short(type, 1)}  dpl ${dpl}`,
    );
  }
  lines.push(
    `gdt ${hex(special.gdt.base)}+${special.gdt.limit.toString(16)}  idt ${hex(special.idt.base)}+${special.idt.limit.toString(16)}`,
  );
  lines.push(
    `cr0 ${hex(special.cr0)}  cr2 ${hex(special.cr2)}  cr3 ${hex(special.cr3)}  cr4 ${hex(special.cr4)}`,
  );
  lines.push(`cr8 ${hex(special.cr8)}  efer ${hex(special.efer)}  apic base ${hex(special.apicBase)}`);
  return lines.join('\n');
}

function hex(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}
