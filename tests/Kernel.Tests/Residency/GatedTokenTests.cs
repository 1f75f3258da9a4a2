using System.Reflection;
using Trust.Kernel.Residency;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Residency;

public sealed class GatedTokenTests
{
    // What takes away, or only asks after the device, is never held up by a place.
    private static readonly string[] Open = ["get_Label", nameof(IToken.Destroy), nameof(IToken.Probe)];

    [Fact]
    public void No_key_is_made_used_or_looked_for_where_the_tokens_place_is_not_declared()
    {
        var place = UsedPlace.Token("card", "510000");
        var declared = ResidencyGate.Draft(place, 0, "510000", TimeProvider.System.GetUtcNow().AddYears(1));
        var inner = DispatchProxy.Create<IToken, Reached>();
        var shut = new GatedToken(inner, place, TestDeclaration.Gate(TestDeclaration.Of(1)));
        var open = new GatedToken(inner, place, TestDeclaration.Gate(TestDeclaration.Of(1, declared)));

        foreach (var member in typeof(IToken).GetMethods())
        {
            Assert.IsType<ReachedException>(Thrown(open, member));
            if (Open.Contains(member.Name))
            {
                Assert.IsType<ReachedException>(Thrown(shut, member));
            }
            else
            {
                Assert.Equal(TokenException.PlaceRefused, Assert.IsType<TokenException>(Thrown(shut, member)).CodeName);
            }
        }
    }

    private static Exception? Thrown(GatedToken token, MethodInfo member)
    {
        object?[] arguments = [.. member.GetParameters().Select(p => p.ParameterType.IsValueType ? Activator.CreateInstance(p.ParameterType) : null)];
        return Assert.Throws<TargetInvocationException>(() => member.Invoke(token, arguments)).InnerException;
    }

    /// <summary>A call came through.</summary>
    public sealed class ReachedException : Exception;

    /// <summary>A token that only tells that a call came through.</summary>
    public class Reached : DispatchProxy
    {
        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => throw new ReachedException();
    }
}
