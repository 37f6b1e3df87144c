/**
 * Numbers of the KVM system interface on x86-64 (Linux KVM API; include/uapi/linux/kvm.h and
 * arch/x86/include/uapi/asm/kvm.h, Linux 6.1). Names as there. An ioctl's number carries the size of its structure.
 */
export const KVM_API_VERSION = 12;

// System ioctls, on /dev/kvm (§4).
export const KVM_GET_API_VERSION = 0xae00;
export const KVM_CREATE_VM = 0xae01;
export const KVM_GET_MSR_INDEX_LIST = 0xc004ae02;
export const KVM_CHECK_EXTENSION = 0xae03;
export const KVM_GET_VCPU_MMAP_SIZE = 0xae04;
export const KVM_GET_SUPPORTED_CPUID = 0xc008ae05;

// VM ioctls.
export const KVM_CREATE_VCPU = 0xae41;
export const KVM_GET_DIRTY_LOG = 0x4010ae42;
export const KVM_SET_USER_MEMORY_REGION = 0x4020ae46;
export const KVM_SET_TSS_ADDR = 0xae47;
export const KVM_SET_IDENTITY_MAP_ADDR = 0x4008ae48;
export const KVM_CREATE_IRQCHIP = 0xae60;
export const KVM_IRQ_LINE = 0x4008ae61;
export const KVM_GET_IRQCHIP = 0xc208ae62;
export const KVM_SET_IRQCHIP = 0x8208ae63;
export const KVM_SET_GSI_ROUTING = 0x4008ae6a;
export const KVM_CREATE_PIT2 = 0x4040ae77;
export const KVM_GET_PIT2 = 0x8070ae9f;
export const KVM_SET_PIT2 = 0x4070aea0;
export const KVM_SET_CLOCK = 0x4030ae7b;
export const KVM_GET_CLOCK = 0x8030ae7c;
export const KVM_ENABLE_CAP = 0x4068aea3;
export const KVM_SIGNAL_MSI = 0x4020aea5;

// vCPU ioctls.
export const KVM_RUN = 0xae80;
export const KVM_GET_REGS = 0x8090ae81;
export const KVM_SET_REGS = 0x4090ae82;
export const KVM_GET_SREGS = 0x8138ae83;
export const KVM_SET_SREGS = 0x4138ae84;
export const KVM_INTERRUPT = 0x4004ae86;
export const KVM_GET_MSRS = 0xc008ae88;
export const KVM_SET_MSRS = 0x4008ae89;
export const KVM_GET_LAPIC = 0x8400ae8e;
export const KVM_SET_LAPIC = 0x4400ae8f;
export const KVM_SET_CPUID2 = 0x4008ae90;
export const KVM_GET_CPUID2 = 0xc008ae91;
export const KVM_GET_MP_STATE = 0x8004ae98;
export const KVM_SET_MP_STATE = 0x4004ae99;
export const KVM_NMI = 0xae9a;
export const KVM_SET_GUEST_DEBUG = 0x4048ae9b;
export const KVM_GET_VCPU_EVENTS = 0x8040ae9f;
export const KVM_SET_VCPU_EVENTS = 0x4040aea0;
export const KVM_GET_DEBUGREGS = 0x8080aea1;
export const KVM_SET_DEBUGREGS = 0x4080aea2;
export const KVM_GET_TSC_KHZ = 0xaea3;
export const KVM_SET_TSC_KHZ = 0xaea2;
export const KVM_GET_XSAVE = 0x9000aea4;
export const KVM_SET_XSAVE = 0x5000aea5;
export const KVM_GET_XSAVE2 = 0x9000aecf;
export const KVM_GET_XCRS = 0x8188aea6;
export const KVM_SET_XCRS = 0x4188aea7;

// Capabilities, for KVM_CHECK_EXTENSION (§4.4).
export const KVM_CAP_IRQCHIP = 0;
export const KVM_CAP_NR_MEMSLOTS = 10;
export const KVM_CAP_TSC_CONTROL = 60;
export const KVM_CAP_MAX_VCPUS = 66;
export const KVM_CAP_TSC_DEADLINE_TIMER = 72;
export const KVM_CAP_READONLY_MEM = 81;
export const KVM_CAP_GUEST_DEBUG_HW_BPS = 119;
export const KVM_CAP_X2APIC_API = 129;
export const KVM_CAP_EXCEPTION_PAYLOAD = 164;
export const KVM_CAP_XSAVE2 = 208;
export const KVM_CAP_X86_TRIPLE_FAULT_EVENT = 218;

// Exit reasons (§5).
export const KVM_EXIT_IO = 2;
export const KVM_EXIT_DEBUG = 4;
export const KVM_EXIT_HLT = 5;
export const KVM_EXIT_MMIO = 6;
export const KVM_EXIT_IRQ_WINDOW_OPEN = 7;
export const KVM_EXIT_SHUTDOWN = 8;
export const KVM_EXIT_FAIL_ENTRY = 9;
export const KVM_EXIT_INTR = 10;
export const KVM_EXIT_INTERNAL_ERROR = 17;
export const KVM_EXIT_SYSTEM_EVENT = 24;

export const KVM_EXIT_IO_OUT = 1;
export const KVM_INTERNAL_ERROR_EMULATION = 1;
export const KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES = 1;

export const KVM_SYSTEM_EVENT_SHUTDOWN = 1;
export const KVM_SYSTEM_EVENT_RESET = 2;
export const KVM_SYSTEM_EVENT_CRASH = 3;

// Flags.
export const KVM_MEM_LOG_DIRTY_PAGES = 1;
export const KVM_MEM_READONLY = 2;
export const KVM_X2APIC_API_USE_32BIT_IDS = 1n;
export const KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK = 2n;
export const KVM_PIT_SPEAKER_DUMMY = 1;
export const KVM_GUESTDBG_ENABLE = 0x1;
export const KVM_GUESTDBG_SINGLESTEP = 0x2;
export const KVM_GUESTDBG_USE_SW_BP = 0x10000;
export const KVM_GUESTDBG_USE_HW_BP = 0x20000;
export const KVM_VCPUEVENT_VALID_NMI_PENDING = 0x01;
export const KVM_VCPUEVENT_VALID_SIPI_VECTOR = 0x02;
export const KVM_VCPUEVENT_VALID_SHADOW = 0x04;
export const KVM_VCPUEVENT_VALID_SMM = 0x08;
export const KVM_VCPUEVENT_VALID_PAYLOAD = 0x10;
export const KVM_VCPUEVENT_VALID_TRIPLE_FAULT = 0x20;
export const KVM_CPUID_FLAG_SIGNIFCANT_INDEX = 1;
export const KVM_IRQCHIP_PIC_MASTER = 0;
export const KVM_IRQCHIP_PIC_SLAVE = 1;
export const KVM_IRQCHIP_IOAPIC = 2;
export const KVM_IRQ_ROUTING_IRQCHIP = 1;
export const KVM_IRQ_ROUTING_MSI = 2;

// Sizes of structures, in bytes.
export const SIZEOF_KVM_REGS = 144;
export const SIZEOF_KVM_SREGS = 312;
export const SIZEOF_KVM_XCRS = 392;
export const SIZEOF_KVM_LAPIC_STATE = 1024;
export const SIZEOF_KVM_VCPU_EVENTS = 64;
export const SIZEOF_KVM_DEBUGREGS = 128;
export const SIZEOF_KVM_GUEST_DEBUG = 72;
export const SIZEOF_KVM_IRQCHIP = 520;
export const SIZEOF_KVM_PIT_STATE2 = 112;
export const SIZEOF_KVM_CLOCK_DATA = 48;
export const SIZEOF_KVM_CPUID_ENTRY2 = 40;
export const SIZEOF_KVM_MSR_ENTRY = 16;
export const SIZEOF_KVM_IRQ_ROUTING_ENTRY = 48;
export const SIZEOF_KVM_ENABLE_CAP = 104;

/** Three pages below 4 GiB that KVM takes for itself on Intel hosts, and one for its identity map (§4.36, §4.40). */
export const TSS_ADDRESS = 0xfffbd000;
export const IDENTITY_MAP_ADDRESS = 0xfffbc000;
