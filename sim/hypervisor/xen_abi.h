// Xen's public headers as the hypervisor needs them: structs, operation numbers and status codes come from nowhere
// else.
#pragma once

#include <cstddef>
#include <cstdint>

// Toolstacks' types too; said before the first of them is read.
#define __XEN_TOOLS__ 1
// After <cstdint>: they use its types without including it.
#include <xen/xen.h>

#include <xen/callback.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>
