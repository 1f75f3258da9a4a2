using Trust.LogFormat;

namespace Trust.Kernel.Tests.Claims;

/// <summary>What the common parts do today where a review says that they should do otherwise; each comment says what is right. Whoever mends it turns the test.</summary>
public sealed class EventClaims
{
    // A note that ends in an empty line is malformed, not a fault.
    [Fact]
    public void V5_A_note_that_ends_in_an_empty_line_throws() => Assert.ThrowsAny<ArgumentException>(() => SignedNote.TryRead("x\n\n"));
}
