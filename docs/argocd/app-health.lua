-- The health of a GitHubApp or ClusterGitHubApp, for Argo CD. It needs no Lua library.
-- Deletion is not looked at here: Argo CD itself calls a resource that is being deleted Progressing.
local hs = { status = "Progressing", message = "Waiting for the operator" }
local status = obj.status
if status == nil or status.conditions == nil then
  return hs
end
if status.observedGeneration ~= obj.metadata.generation then
  hs.message = "Waiting for the operator to see the latest change"
  return hs
end
for _, c in ipairs(status.conditions) do
  if c.type == "Ready" then
    -- What is not usable waits for a person, or for GitHub to take a client secret that it has refused. Unknown is what GitHub was
    -- not asked about yet.
    if c.status ~= "Unknown" then
      hs.status = c.status == "True" and "Healthy" or "Degraded"
    end
    hs.message = c.message
  end
end
return hs
