// SPDX-License-Identifier: Apache-2.0
#include "src/io/pickle_globals.h"

#include <algorithm>
#include <array>

namespace fovea {
namespace {

constexpr ElementType kF64{"float64", 8, DType::f64};
constexpr ElementType kF32{"float32", 4, DType::f32};
constexpr ElementType kF16{"float16", 2, DType::f16};
constexpr ElementType kBF16{"bfloat16", 2, DType::bf16};
constexpr ElementType kI64{"int64", 8, DType::i64};
constexpr ElementType kI32{"int32", 4, DType::i32};
constexpr ElementType kI16{"int16", 2, DType::i16};
constexpr ElementType kI8{"int8", 1, DType::i8};
constexpr ElementType kU8{"uint8", 1, DType::u8};
constexpr ElementType kBool{"bool", 1, DType::boolean};
constexpr ElementType kUntyped{"", 1, std::nullopt};

constexpr ElementType other(std::string_view name, std::size_t size) {
  return {name, size, std::nullopt};
}

using enum PickleRole;

constexpr std::array kGlobals = {
    PickleGlobal{"_codecs.encode", record},
    PickleGlobal{"argparse.Namespace", record},
    PickleGlobal{"builtins.bytearray", record},
    PickleGlobal{"builtins.complex", record},
    PickleGlobal{"builtins.set", record},
    PickleGlobal{"collections.Counter", mapping},
    PickleGlobal{"collections.OrderedDict", mapping},
    PickleGlobal{"numpy._core.multiarray.scalar", record},
    PickleGlobal{"numpy.core.multiarray.scalar", record},
    PickleGlobal{"numpy.dtype", record},

    PickleGlobal{"torch.Size", size},
    PickleGlobal{"torch.Tensor", record},
    PickleGlobal{"torch.device", record},
    PickleGlobal{"torch.serialization._get_layout", record},
    PickleGlobal{"torch.per_tensor_affine", record},
    PickleGlobal{"torch.per_tensor_symmetric", record},
    PickleGlobal{"torch.per_channel_affine", record},
    PickleGlobal{"torch.per_channel_symmetric", record},
    PickleGlobal{"torch.per_channel_affine_float_qparams", record},

    PickleGlobal{"torch._utils._rebuild_tensor", tensor},
    PickleGlobal{"torch._utils._rebuild_tensor_v2", tensor},
    PickleGlobal{"torch._utils._rebuild_tensor_v3", typed_tensor},
    PickleGlobal{"torch._utils._rebuild_parameter", parameter},
    PickleGlobal{"torch._utils._rebuild_parameter_with_state", parameter},
    PickleGlobal{"torch.nn.parameter.Parameter", parameter},
    PickleGlobal{"torch._tensor._rebuild_from_type_v2", tensor_of_class},
    PickleGlobal{"torch._utils._rebuild_device_tensor_from_cpu_tensor", unsupported_tensor},
    PickleGlobal{"torch._utils._rebuild_device_tensor_from_numpy", unsupported_tensor},
    PickleGlobal{"torch._utils._rebuild_meta_tensor_no_storage", unsupported_tensor},
    PickleGlobal{"torch._utils._rebuild_qtensor", unsupported_tensor},
    PickleGlobal{"torch._utils._rebuild_sparse_tensor", unsupported_tensor},
    PickleGlobal{"torch._utils._rebuild_wrapper_subclass", unsupported_tensor},

    PickleGlobal{"torch.DoubleStorage", storage, kF64},
    PickleGlobal{"torch.FloatStorage", storage, kF32},
    PickleGlobal{"torch.HalfStorage", storage, kF16},
    PickleGlobal{"torch.BFloat16Storage", storage, kBF16},
    PickleGlobal{"torch.LongStorage", storage, kI64},
    PickleGlobal{"torch.IntStorage", storage, kI32},
    PickleGlobal{"torch.ShortStorage", storage, kI16},
    PickleGlobal{"torch.CharStorage", storage, kI8},
    PickleGlobal{"torch.ByteStorage", storage, kU8},
    PickleGlobal{"torch.BoolStorage", storage, kBool},
    PickleGlobal{"torch.ComplexFloatStorage", storage, other("complex64", 8)},
    PickleGlobal{"torch.ComplexDoubleStorage", storage, other("complex128", 16)},
    PickleGlobal{"torch.QInt8Storage", storage, other("qint8", 1)},
    PickleGlobal{"torch.QUInt8Storage", storage, other("quint8", 1)},
    PickleGlobal{"torch.QInt32Storage", storage, other("qint32", 4)},
    PickleGlobal{"torch.QUInt4x2Storage", storage, other("quint4x2", 1)},
    PickleGlobal{"torch.QUInt2x4Storage", storage, other("quint2x4", 1)},
    PickleGlobal{"torch.storage.UntypedStorage", storage, kUntyped},
    PickleGlobal{"torch.storage._UntypedStorage", storage, kUntyped},

    PickleGlobal{"torch.float64", dtype, kF64},
    PickleGlobal{"torch.float32", dtype, kF32},
    PickleGlobal{"torch.float16", dtype, kF16},
    PickleGlobal{"torch.bfloat16", dtype, kBF16},
    PickleGlobal{"torch.int64", dtype, kI64},
    PickleGlobal{"torch.int32", dtype, kI32},
    PickleGlobal{"torch.int16", dtype, kI16},
    PickleGlobal{"torch.int8", dtype, kI8},
    PickleGlobal{"torch.uint8", dtype, kU8},
    PickleGlobal{"torch.bool", dtype, kBool},
    PickleGlobal{"torch.uint16", dtype, other("uint16", 2)},
    PickleGlobal{"torch.uint32", dtype, other("uint32", 4)},
    PickleGlobal{"torch.uint64", dtype, other("uint64", 8)},
    PickleGlobal{"torch.complex32", dtype, other("complex32", 4)},
    PickleGlobal{"torch.complex64", dtype, other("complex64", 8)},
    PickleGlobal{"torch.complex128", dtype, other("complex128", 16)},
    PickleGlobal{"torch.float8_e4m3fn", dtype, other("float8_e4m3fn", 1)},
    PickleGlobal{"torch.float8_e4m3fnuz", dtype, other("float8_e4m3fnuz", 1)},
    PickleGlobal{"torch.float8_e5m2", dtype, other("float8_e5m2", 1)},
    PickleGlobal{"torch.float8_e5m2fnuz", dtype, other("float8_e5m2fnuz", 1)},
    PickleGlobal{"torch.float8_e8m0fnu", dtype, other("float8_e8m0fnu", 1)},
    PickleGlobal{"torch.qint8", dtype, other("qint8", 1)},
    PickleGlobal{"torch.quint8", dtype, other("quint8", 1)},
    PickleGlobal{"torch.qint32", dtype, other("qint32", 4)},
};

}  // namespace

const PickleGlobal* find_pickle_global(std::string_view module, std::string_view name) {
  if (module == "__builtin__") module = "builtins";  // Python 2
  const auto matches = [&](const PickleGlobal& global) {
    return global.name.size() == module.size() + 1 + name.size() &&
           global.name.starts_with(module) && global.name[module.size()] == '.' &&
           global.name.ends_with(name);
  };
  const auto found = std::find_if(kGlobals.begin(), kGlobals.end(), matches);
  return found == kGlobals.end() ? nullptr : &*found;
}

}  // namespace fovea
