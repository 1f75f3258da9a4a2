using System.Security.Cryptography;
using Net.Pkcs11Interop.Common;
using Net.Pkcs11Interop.LowLevelAPI80;

namespace Trust.Pkcs11;

/// <summary>
/// The attributes of an object, in native memory for the length of one call. They are overwritten before that memory is given back:
/// the library frees without doing so, and a template may hold what must not stay in the heap.
/// </summary>
internal sealed class Template : IDisposable
{
    private readonly List<CK_ATTRIBUTE> _attributes = [];

    /// <summary>What the library's calls take.</summary>
    public CK_ATTRIBUTE[] Attributes => [.. _attributes];

    /// <summary>Number of attributes.</summary>
    public ulong Count => (ulong)_attributes.Count;

    public Template With(CKA type, bool value) => Add(CkaUtils.CreateAttribute(type, value));

    public Template With(CKA type, ulong value) => Add(CkaUtils.CreateAttribute(type, value));

    public Template With(CKA type, ReadOnlySpan<byte> value) => Add(CkaUtils.CreateAttribute(type, value.ToArray()));

    public unsafe void Dispose()
    {
        foreach (var attribute in _attributes)
        {
            var memory = attribute.value;
            CryptographicOperations.ZeroMemory(new Span<byte>((void*)memory, (int)attribute.valueLen));
            UnmanagedMemory.Free(ref memory);
        }

        _attributes.Clear();
    }

    private Template Add(CK_ATTRIBUTE attribute)
    {
        _attributes.Add(attribute);
        return this;
    }
}
