using System.Diagnostics;

namespace Trust.Idp;

/// <summary>
/// A check by its name, so that the tests can leave it out and see whether anybody notices. In an ordinary build the name is nothing: the call that could leave a
/// check out is not compiled (the constant TRUST_FAULTS is set by the tests' own build only, <c>tests/Conformance.Tests/Faults</c>).
/// </summary>
internal static class Check
{
    /// <summary>Whether a condition holds.</summary>
    /// <param name="name">The check's name, one of its own.</param>
    /// <param name="condition">What must be true.</param>
    public static bool Holds(string name, bool condition)
    {
        Leave(name, ref condition);
        return condition;
    }

    // Beside the program lies the name of the one check that is left out now; read each time, so that one process serves them all.
    [Conditional("TRUST_FAULTS")]
    private static void Leave(string name, ref bool condition)
    {
        var file = Path.Combine(AppContext.BaseDirectory, "left-out");
        condition |= File.Exists(file) && File.ReadAllText(file) == name;
    }
}
