namespace Trust.Pkcs11;

/// <summary>What a token says of itself (CK_TOKEN_INFO, C_GetMechanismList), for start-up logs; holds no secret.</summary>
/// <param name="Label">Its label.</param>
/// <param name="Manufacturer">Who made it.</param>
/// <param name="Model">What it is.</param>
/// <param name="SerialNumber">Which one it is.</param>
/// <param name="Firmware">Firmware version, <c>major.minor</c>.</param>
/// <param name="Mechanisms">Mechanism numbers it offers, ascending.</param>
public sealed record TokenDescription(string Label, string Manufacturer, string Model, string SerialNumber, string Firmware, IReadOnlyList<ulong> Mechanisms);
