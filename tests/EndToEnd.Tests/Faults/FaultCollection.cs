namespace Trust.EndToEnd.Tests.Faults;

/// <summary>These stop and kill the shared installation's services: they run alone, after everything else.</summary>
[CollectionDefinition("faults", DisableParallelization = true)]
public sealed class FaultCollection;
